"""What a session's container, volumes and lock are called. Other programs may rely on these names."""

import re

from agent_session.sessions.errors import BadName

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
NETWORK = "agent-session"
"""On which sessions whose agent is a server are found by the names of their containers."""


def check_name(name: str) -> str:
    """Return the name itself, or raise BadName."""
    if not NAME.fullmatch(name):
        raise BadName(name)
    return name


def container_name(name: str) -> str:
    """Return the name of a session's container."""
    return f"agent_{name}"


def next_name(name: str) -> str:
    """Return a container's name while it is made to replace the session's; no session can have it."""
    return f"agent-next_{name}"


def volume_names(name: str) -> tuple[str, str]:
    """Return the session's volumes: its home, and what is in /workspace beside the projects."""
    return f"agent_{name}_home", f"agent_{name}_workspace"


def importing_name(name: str) -> str:
    """Return the name of the volume that marks an unfinished import.

    Without a container, the session's volumes are half full then.
    """
    return f"agent_{name}_importing"


def branch_name(name: str) -> str:
    """Return the branch that a session's clones are on, and that its work comes back as."""
    return f"agent/{ref_part(name)}"


def ref_part(name: str) -> str:
    """Return a part of a ref's name as near to a name as git allows."""
    return re.sub(r"[.]{2,}|[.](?=lock$)|[.]$|^[.]", "-", name)


def lock_name(name: str) -> str:
    """Return what a command locks that changes the session of that name."""
    return f"session-{name}"


def hostname(name: str) -> str:
    """Return a host name as near to the session's as RFC 1123 allows."""
    return re.sub(r"[^A-Za-z0-9-]", "-", name).strip("-") or "session"
