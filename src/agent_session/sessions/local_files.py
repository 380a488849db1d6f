"""Files of a session that this process can read by itself, where its engine is on this machine."""

from pathlib import Path

from agent_session.engine.protocol import Engine
from agent_session.sessions.session import Session


def open_root(engine: Engine, session: Session) -> int | None:
    """Open the root directory of a running session's container; the caller closes the descriptor.

    None for a session that has stopped, on another machine, or without permission. No round trip.
    """
    return engine.local.open_root(session.id, session.pid) if engine.local and session.pid else None


def volume_path(engine: Engine, volume: str) -> Path | None:
    """The directory of a volume; None where there is no volume, on another machine, or without permission."""
    return engine.local.volume_path(volume) if engine.local else None
