"""Tokens, costs and tools of a session, from what its agents have written down in its home.

The agent can write there too, so the numbers are as true as the agent is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from agent_session import inside, sanitize
from agent_session.activity import usage_program
from agent_session.engine.command import OneOff
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError, EngineRefused, Hint
from agent_session.host import clock
from agent_session.sessions import plan
from agent_session.sessions.session import Session

SECONDS = 120
MOST_MODELS = 100
AT_ONCE = 8
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class ModelUse:
    """What one model was used for; tokens, and US dollars, None where the agent writes down no cost."""

    model: str
    answers: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: float | None


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """A tool that an agent used."""

    time: datetime
    name: str


@dataclass(frozen=True, kw_only=True)
class Usage:
    """All of a session."""

    models: tuple[ModelUse, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    """The last 2000 of which the time is known, the oldest first."""

    @property
    def tokens(self) -> int:
        """All that the models read and wrote, cached or not."""
        return sum(one.input + one.output + one.cache_read + one.cache_write for one in self.models)

    @property
    def cost(self) -> float | None:
        """US dollars; None where no agent writes them down."""
        known = [one.cost for one in self.models if one.cost is not None]
        return sum(known) if known else None


def read(engine: Engine, session: Session) -> Usage:
    """Count what a session has used, running or stopped. Raises EngineRefused where that cannot be read."""
    command = (inside.PYTHON, "-I", "-c", _program())
    if session.running:
        done = engine.exec(session.container, command, timeout=SECONDS)
    else:
        home, _ = plan.volume_mounts(session.name, read_only=True)
        done = engine.run_one_off(
            OneOff(image=session.image, command=command, mounts=(home,)), timeout=SECONDS
        )
    if done.exit_code:
        said = sanitize.message(done.message, 300)
        raise EngineRefused(f"what session '{session.name}' has used cannot be read: {said}", hint=Hint("ls"))
    return parse(done.stdout)


def read_many(engine: Engine, sessions: Sequence[Session]) -> dict[str, Usage]:
    """Count what running sessions have used, by name; those of which it cannot be read are left out."""
    from concurrent.futures import ThreadPoolExecutor

    def one(session: Session) -> Usage | None:
        try:
            return read(engine, session)
        except AgentSessionError:
            return None

    running = [session for session in sessions if session.running]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = zip(running, pool.map(one, running), strict=True)
        return {session.name: used for session, used in found if used}


def parse(said: bytes) -> Usage:
    """Read what the program said, which is a stranger's: what does not fit is left out."""
    try:
        told = json.loads(said)
        models, tools = dict(told["models"]), list(told["tools"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Usage()
    return Usage(
        models=tuple(one for name in sorted(models)[:MOST_MODELS] if (one := _model(name, models[name]))),
        tools=tuple(used for tool in tools if (used := _tool(tool))),
    )


def _model(name: str, said: Any) -> ModelUse | None:
    counted = [field.name for field in fields(ModelUse) if field.name not in {"model", "cost"}]
    if not isinstance(said, dict) or any(type(said.get(key)) is not int or said[key] < 0 for key in counted):
        return None
    cost: Any = said.get("cost")
    return ModelUse(
        model=sanitize.line(name, LONGEST_NAME),
        cost=float(cost) if type(cost) in {int, float} and 0 <= cost < float("inf") else None,
        **{key: said[key] for key in counted},
    )


def _tool(said: Any) -> ToolUse | None:
    if not isinstance(said, list) or len(said) != 2 or not all(isinstance(one, str) for one in said):
        return None
    time = clock.parse(said[0][:40])
    return ToolUse(time=time, name=sanitize.line(said[1], LONGEST_NAME)) if time else None


@cache
def _program() -> str:
    return Path(usage_program.__file__).read_text(encoding="utf-8")
