"""The list of sessions as the page shows it: those that wait for somebody first."""

from dataclasses import dataclass
from typing import Any

from agent_session.activity import state as states
from agent_session.activity.state import State
from agent_session.server.auth import ownership
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import Parts
from agent_session.server.web.templates import STATES
from agent_session.sessions import find
from agent_session.sessions.session import Session

ORDER = {value: place for place, value in enumerate(STATES)}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A session in the list."""

    name: str
    title: str
    agent: str
    value: str
    """Its agent's state, or "stopped"."""
    since: Any
    reason: str
    projects: tuple[str, ...]
    running: bool
    clones: bool


async def rows(parts: Parts, asking: Caller) -> list[Row]:
    """Return the caller's sessions. The engine is asked only where the watcher has not seen it yet."""
    sees = ownership.sees(asking)
    if parts.watching.engine_status == "online":
        found = parts.watching.sessions(sees)
    else:
        found = await parts.threads.run(lambda: _read(parts, sees))
    made = [row(session, state) for session, state in found]
    return sorted(made, key=lambda one: (ORDER.get(one.value, len(ORDER)), one.title.lower(), one.name))


def row(session: Session, state: State) -> Row:
    """Return a session as the list has it."""
    places = [*map(str, (one.source for one in session.projects)), *(one.source for one in session.clones)]
    return Row(
        name=session.name,
        title=session.title or session.name,
        agent=session.agent,
        value=state.value if session.running else "stopped",
        since=state.since,
        reason=state.question.text if state.question else state.reason,
        projects=tuple(
            place.rstrip("/").rpartition("/")[2].removesuffix(".git") for place in places if place
        ),
        running=session.running,
        clones=bool(session.clones),
    )


def _read(parts: Parts, sees: Any) -> list[tuple[Session, State]]:
    found = [one for one in find.list_sessions(parts.engine) if sees(one.owner, one.name)]
    told = states.read(parts.engine, found)
    return [(one, told[one.name]) for one in found]
