"""A wish as it is typed, a request with all of it checked, and the options that stay with a session."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session.engine import limits
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import NONE as NO_PROTECTION
from agent_session.workspace.protection import Protection

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a session, which stay with it.

    Every field is a JSON value (a tuple: a list) with its default.
    """

    auto_approve: bool = False
    unprotected: tuple[
        str, ...
    ] = ()  # paths in projects that the agent may change, whatever the host makes of them
    user_config: bool = True
    git_signing: bool = False
    github_token: bool = False
    ssh_agent: str = ""  # its socket on the host; "none" if it is to be lent but does not run
    memory: int = 0  # bytes; of this and the next two 0 is no limit
    cpus: float = 0.0
    pids: int = limits.PIDS
    allow_user_namespaces: bool = False
    allow_setuid: bool = False


LENT = "lent"
"""In a wish, in place of the ssh-agent's socket: it is to be lent."""
OF_A_START = frozenset({field.name for field in fields(Options)} | {"fresh"})
"""All options that only a start can change: each takes effect when the session starts, and stays as it is
until then."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A wish for a session, made once where the words come in.

    A session that exists keeps what is not in `insisted`.

    `insisted` holds names of fields, of this class and of Options.
    """

    name: str
    agent: str | None = None
    """None where none was chosen."""
    projects: tuple[str, ...] = ()  # as typed; none: `directory`
    directory: Path | None = None
    """The caller's current directory; None where that has been removed."""
    mounts: tuple[str, ...] = ()
    kob: str | None = None
    allow_secret_directories: bool = False
    options: Options = Options()
    fresh: bool = False
    insisted: frozenset[str] = frozenset()
    import_from: Path | None = None
    targets: tuple[PurePosixPath, ...] = ()  # where an imported session had its projects
    no_projects: bool = False  # of an import: no directory at all, not even `directory`
    logins: bool = False  # an imported session gets the logins at its first start already
    screen: bool = True  # wait until the agent shows something; else until a terminal can be attached
    restart: bool = False  # a session that runs is stopped first
    update: bool = False  # to the agent's current image; what is stopped stays stopped


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """A wish with all of it checked. `mounts` are read-only, `kob` read-write, at their own paths."""

    name: str
    agent: "Agent"
    image: str
    projects: tuple[Project, ...]
    mounts: tuple[Path, ...] = ()
    kob: Path | None = None
    ca_bundle: Path | None = None
    rootful: bool = False
    protection: Protection = NO_PROTECTION
    options: Options = Options()
    login: str | None = None  # the id of the stored login's present content
    without_logins: bool = False  # made of an archive: what runs before its next start gets no login
    created: datetime | None = None  # of a session that exists already; None: its container's time is its own


def permission_notes(options: Options) -> list[str]:
    """One line for each switch that takes a wall away: what is not promised with it."""
    notes = []
    if options.allow_user_namespaces:
        notes.append(
            "warning: --allow-user-namespaces: the agent can change the protected paths of your projects, "
            "and what it puts there runs on this machine"
        )
    if options.allow_setuid:
        notes.append(
            "warning: --allow-setuid: with programs that the agent leaves in your projects, other users of "
            "this machine can act as you"
        )
    return notes


def limit_notes(options: Options, unenforced: Mapping[str, str]) -> list[str]:
    """One line where chosen limits cannot be enforced (name -> why), else none."""
    default = Options()
    vain = [name for name in unenforced if getattr(options, name) not in {0, getattr(default, name)}]
    if not vain:
        return []
    flags = " and ".join(f"--{name}" for name in vain)
    return [f"{flags} cannot be enforced here ({unenforced[vain[0]]}): the session starts without"]


def flags(name: str, value: object) -> list[str]:
    """Write an option as it is typed: --memory 512m, --no-auto-approve, --unprotected .vscode."""
    flag = f"--{name.replace('_', '-')}"
    if name == "ssh_agent":
        value = bool(value)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, tuple):
        return [word for item in value for word in (flag, str(item))]
    if name == "memory" and isinstance(value, int):
        return [flag, limits.written(value)]
    return [flag, f"{value:g}" if isinstance(value, float) else str(value)]
