"""The ssh-agent that is lent to a running session: the one of now, or that of a login that is over.

A container has the socket that was there when it started. Another login brings another one, perhaps at the
same path.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from agent_session import inside
from agent_session.engine.protocol import Engine
from agent_session.errors import Hint
from agent_session.host import git_identity
from agent_session.sessions.session import Session

PATIENCE_SECONDS = 1


def note(engine: Engine, session: Session, environment: Mapping[str, str]) -> str:
    """A line for the user where the session has another ssh-agent than this login; "" where all is well."""
    lent = session.options.ssh_agent
    if not session.running or not lent or engine.local is None:
        return ""
    now = git_identity.agent_socket(environment)
    again = Hint("restart", [session.name]).command()
    if now == git_identity.NO_AGENT:
        ended = lent.startswith("/") and not _answers(Path(lent))
        return f"the ssh-agent lent to session '{session.name}' has ended: {again}" if ended else ""
    place = Path(f"/proc/{session.pid}/root", *inside.SSH_AGENT.parts[1:])
    if lent.startswith("/") and (_is_same(place, Path(now)) or (not place.exists() and lent == now)):
        return ""
    return f"session '{session.name}' has not the ssh-agent of this login; to lend it: {again}"


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.stat(), other.stat())
    except OSError:
        return False


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(PATIENCE_SECONDS)
        try:
            asked.connect(str(path))
        except OSError:
            return False
    return True
