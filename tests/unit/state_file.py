"""Writes what a session's session-state would write, for tests of its reader."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent_session.activity import state as states
from agent_session.sessions.session import Session
from tests.fake_engine import FakeEngine

WRITER = (16, 4711)


def now(*, ago: float = 0) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stat(writer: tuple[int, int] = WRITER, *, name: str = "session-state", letter: str = "S") -> str:
    return f"{writer[0]} ({name}) {letter} " + " ".join(["1"] * 18) + f" {writer[1]} 0 0\n"


def line(value: str = "idle", **more: Any) -> str:
    """What session-state writes."""
    return json.dumps(
        {"writer": WRITER, "state": {"value": value, "since": now(), "source": "its files", **more}}
    )


def write(engine: FakeEngine, session: Session, content: str | bytes, process: str = stat()) -> Path:
    """Give a session's container a state file and its writer's process; returns the file."""
    root = engine.root(session.container)
    folder = root.joinpath(*states.FILE[:-1])
    folder.mkdir(parents=True, exist_ok=True)
    (root / "proc" / str(WRITER[0])).mkdir(parents=True, exist_ok=True)
    (root / "proc" / str(WRITER[0]) / "stat").write_text(process)
    new = folder / "state.new"
    new.write_bytes(content.encode() if isinstance(content, str) else content)
    return new.replace(folder / states.FILE[-1])
