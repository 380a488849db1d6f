"""What is asked for, all of it checked: a session's request, and the options that stay with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.engine import limits
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import NONE as NO_PROTECTION
from agent_session.workspace.protection import Protection

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was chosen for a session and stays with it; every field is a JSON value (a tuple: a list) with its default."""

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


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """What was asked for, all of it checked. `mounts` are read-only and `kob` read-write at their own paths."""

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
    created: datetime | None = None  # of a session that exists already; None: its container's time is its own


def limit_notes(options: Options, unenforced: Mapping[str, str]) -> list[str]:
    """One line where limits that somebody chose cannot be enforced (name -> why), else none."""
    default = Options()
    vain = [name for name in unenforced if getattr(options, name) not in {0, getattr(default, name)}]
    if not vain:
        return []
    flags = " and ".join(f"--{name}" for name in vain)
    return [f"{flags} cannot be enforced here ({unenforced[vain[0]]}): the session starts without"]
