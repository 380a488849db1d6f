"""The options of a session, as they are chosen, kept and typed again."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, fields, replace
from typing import Any

from agent_session.engine import limits, network_mode
from agent_session.workspace import protect_mode


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a session, which stay with it.

    Every field is a JSON value (a tuple: a list) with its default.
    """

    auto_approve: bool = False
    protect: str = protect_mode.REVIEW
    """One of protect_mode.MODES."""
    unprotected: tuple[str, ...] = ()
    """Paths in projects that the agent may change, whatever the host makes of them."""
    model: str = ""
    """What the agent starts with; "": its own choice."""
    user_config: bool = True
    git_signing: bool = False
    github_token: bool = False
    ssh_agent: str = ""
    """The agent's socket on the host; "none" if it is to be lent but does not run."""
    memory: int = 0
    """Bytes. Of this and the next two, 0 is no limit."""
    cpus: float = 0.0
    pids: int = limits.PIDS
    shm_size: int = limits.SHM
    """Bytes of /dev/shm."""
    allow_user_namespaces: bool = False
    allow_setuid: bool = False
    publish: tuple[str, ...] = ()
    """Ports of this machine and those of the session that they lead to, as engine.published writes them."""
    network: str = network_mode.OPEN
    """One of network_mode.MODES."""
    label: tuple[str, ...] = ()
    """The user's own, key=value."""


DEFAULTS = Options()
NONE = "none"
"""As it is typed: no port is published, or no label kept, any more."""
LENT = "lent"
"""In a wish, in place of the ssh-agent's socket: it is to be lent."""
OF_A_START = frozenset({field.name for field in fields(Options)} | {"fresh"})
"""All options that only a start can change: each takes effect when the session starts, and stays as it is
until then."""
NOTHING_LENT: dict[str, Any] = {"ssh_agent": "", "git_signing": False, "github_token": False}
"""The options that lend a login, off."""


def chosen(
    wished: Options, insisted: Set[str], environment: Mapping[str, str], had: Options | None
) -> Options:
    """What a session is to be started with: what it had, but for what is insisted on (names of fields)."""
    from agent_session.host import git_identity

    names = [field.name for field in fields(Options) if field.name != "ssh_agent"]
    new = {name: getattr(wished, name) for name in names if had is None or name in insisted}
    options = replace(had or Options(), **new)
    lent = wished.ssh_agent if had is None or "ssh_agent" in insisted else had.ssh_agent
    socket = git_identity.agent_socket(environment) if lent or options.git_signing else ""
    return replace(options, ssh_agent=socket)


def plain(name: str, value: object) -> object:
    """An option's value as it is compared: of a socket only that there is one, of a list no order."""
    if name == "ssh_agent":
        return bool(value)
    return sorted(value) if isinstance(value, tuple) else value


def flags(name: str, value: object) -> list[str]:
    """Write an option as it is typed: --memory 512m, --no-auto-approve, --unprotected .vscode."""
    flag = f"--{name.replace('_', '-')}"
    if name == "ssh_agent":
        value = bool(value)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, tuple):
        items = value or (NONE,) if name in {"publish", "label"} else value
        return [word for item in items for word in (flag, str(item))]
    if name in {"memory", "shm_size"} and isinstance(value, int):
        return [flag, limits.written(value)]
    return [flag, f"{value:g}" if isinstance(value, float) else str(value)]
