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
    words = trouble(engine, session, environment)
    return f"{words}; to lend the one of now: {cure(session).command()}" if words else ""


def trouble(engine: Engine, session: Session, environment: Mapping[str, str]) -> str:
    """Say what is wrong with a running session's ssh-agent; "" where none is lent, or all is well."""
    lent = session.options.ssh_agent
    if not session.running or not lent or engine.local is None:
        return ""
    now = git_identity.agent_socket(environment)
    if now == git_identity.NO_AGENT:
        ended = lent.startswith("/") and not answers(Path(lent))
        return f"the ssh-agent lent to session '{session.name}' has ended" if ended else ""
    place = Path(f"/proc/{session.pid}/root", *inside.SSH_AGENT.parts[1:])
    if lent.startswith("/") and (_is_same(place, Path(now)) or (not place.exists() and lent == now)):
        return ""
    return f"session '{session.name}' has not the ssh-agent of this login"


def cure(session: Session) -> Hint:
    """The command that lends the session the ssh-agent of now."""
    return Hint("restart", [session.name])


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.stat(), other.stat())
    except OSError:
        return False


def answers(path: Path) -> bool:
    """Whether an ssh-agent, or anything else, listens at a socket."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(PATIENCE_SECONDS)
        try:
            asked.connect(str(path))
        except OSError:
            return False
    return True
