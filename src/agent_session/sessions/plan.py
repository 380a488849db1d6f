"""Pure: what was asked becomes what the engine is told. No engine, clock or environment.

The labels are the only database of sessions: `session_labels` writes them, `sessions` reads them back.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from agent_session import inside
from agent_session.agents.login import LOGIN, login_secret
from agent_session.engine import limits
from agent_session.engine.protocol import ContainerSpec, Mount, SecretFile
from agent_session.errors import BadName
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import NONE as NO_PROTECTION
from agent_session.workspace.protection import Protection

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
NETWORK = "agent-session"
"""On which sessions whose agent is a server are found by the names of their containers."""

LABEL_NAME = "agent-session.name"
LABEL_AGENT = "agent-session.agent"
LABEL_PROJECTS = "agent-session.projects"
LABEL_MOUNTS = "agent-session.mounts"
LABEL_OPTIONS = "agent-session.options"
LABEL_LOGIN = "agent-session.login"
LABEL_CREATED = "agent-session.created"
LABEL_PROTECTION = "agent-session.protection"
LABEL_NETWORK = "agent-session.network"
LABEL_RUNS = "agent-session.runs"
"""On a container made to take another one's place: its session is to run then."""


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


def check_name(name: str) -> str:
    """The name itself, or BadName."""
    if not NAME.fullmatch(name):
        raise BadName(name)
    return name


def container_name(name: str) -> str:
    """The container of the session of that name; other programs may rely on it."""
    return f"agent_{name}"


def next_name(name: str) -> str:
    """A session's container while it is being made anew; no session's own container can be called so."""
    return f"agent-next_{name}"


def volume_names(name: str) -> tuple[str, str]:
    """The session's volumes: its home, and what is in /workspace beside the projects."""
    return f"agent_{name}_home", f"agent_{name}_workspace"


def lock_name(name: str) -> str:
    """What is held by who changes the session of that name."""
    return f"session-{name}"


def importing_name(name: str) -> str:
    """A volume that is there while an archive becomes the session's own: without its container, they are half of an import."""
    return f"agent_{name}_importing"


def read_options(label: str) -> Options:
    """What a label says; labels can be made by anybody: what does not fit counts as not chosen."""
    try:
        said = json.loads(label)
    except ValueError:
        return Options()
    chosen: dict[str, Any] = {}
    for field in fields(Options):
        value = said.get(field.name) if isinstance(said, dict) else None
        value = tuple(value) if isinstance(value, list) else value
        if type(value) is type(field.default) and not (isinstance(value, int | float) and value < 0):
            chosen[field.name] = value
    return Options(**chosen)


def limit_notes(options: Options, unenforced: Mapping[str, str]) -> list[str]:
    """One line where limits that somebody chose cannot be enforced (name -> why), else none."""
    default = Options()
    vain = [name for name in unenforced if getattr(options, name) not in {0, getattr(default, name)}]
    if not vain:
        return []
    flags = " and ".join(f"--{name}" for name in vain)
    return [f"{flags} cannot be enforced here ({unenforced[vain[0]]}): the session starts without"]


def workdir(projects: tuple[Project, ...]) -> PurePosixPath:
    """Where the agent starts: in its only project, or above several."""
    return projects[0].target if len(projects) == 1 else inside.WORKSPACE


def session_labels(request: SessionRequest) -> dict[str, str]:
    """What the container says of itself; no secret ever."""
    projects = [{"source": str(p.source), "target": str(p.target)} for p in request.projects]
    mounts = [{"path": str(path), "read_only": True} for path in request.mounts]
    if request.kob:
        mounts.append({"path": str(request.kob), "read_only": False})
    return {
        LABEL_NAME: request.name,
        LABEL_AGENT: request.agent.name,
        LABEL_PROJECTS: json.dumps(projects, ensure_ascii=False),
        LABEL_MOUNTS: json.dumps(mounts, ensure_ascii=False),
        LABEL_OPTIONS: json.dumps(asdict(request.options)),
        LABEL_LOGIN: request.login or "",
        LABEL_PROTECTION: request.protection.label(),
        LABEL_CREATED: request.created.isoformat() if request.created else "",
    }


def container_spec(request: SessionRequest) -> ContainerSpec:
    """The whole container of a session."""
    home, workspace = volume_names(request.name)
    mounts = [
        Mount(kind="volume", source=home, target=inside.HOME),
        Mount(kind="volume", source=workspace, target=inside.WORKSPACE),
        Mount(kind="tmpfs", target=inside.RUNTIME),
        *(Mount(kind="bind", source=str(p.source), target=p.target) for p in request.projects),
        *(
            Mount(kind="bind", source=str(path), target=PurePosixPath(path), read_only=True)
            for path in request.mounts
        ),
    ]
    if request.kob:
        mounts.append(Mount(kind="bind", source=str(request.kob), target=PurePosixPath(request.kob)))
    mounts += request.protection.mounts
    if request.options.ssh_agent.startswith("/"):
        mounts.append(Mount(kind="bind", source=request.options.ssh_agent, target=inside.SSH_AGENT))
    if request.ca_bundle:
        mounts.append(
            Mount(kind="bind", source=str(request.ca_bundle), target=inside.CA_BUNDLE, read_only=True)
        )
    environment = {
        "AGENT_SESSION_NAME": request.name,
        "AGENT_SESSION_AGENT": request.agent.name,
        "AGENT_SESSION_TITLE": request.agent.title,
        "AGENT_SESSION_PROJECTS": json.dumps([str(p.target) for p in request.projects], ensure_ascii=False),
        **request.protection.environment,
    }
    if request.options.ssh_agent:
        environment["SSH_AUTH_SOCK"] = str(inside.SSH_AGENT)
    if request.rootful:
        environment["IS_SANDBOX"] = "1"  # without it Claude Code refuses to skip permissions as uid 0
    return ContainerSpec(
        name=container_name(request.name),
        image=request.image,
        hostname=hostname(request.name),
        workdir=workdir(request.projects),
        labels=session_labels(request),
        environment=environment,
        mounts=tuple(mounts),
        secrets=(SecretFile(name=login_secret(request.agent.name), target=LOGIN),) if request.login else (),
        network=NETWORK if request.agent.server else "",
        alias=container_name(request.name)
        if request.agent.server
        else "",  # its name is another one while it replaces one
        ports=(request.agent.server.port,) if request.agent.server else (),
        memory=request.options.memory,
        cpus=request.options.cpus,
        pids=request.options.pids,
    )


def replacement_spec(request: SessionRequest, *, runs: bool) -> ContainerSpec:
    """The same under another name, for a session that has a container already; `runs`: it is to run on it."""
    spec = container_spec(request)
    labels = {**spec.labels, LABEL_RUNS: "true"} if runs else spec.labels
    return replace(spec, name=next_name(request.name), labels=labels)


def hostname(name: str) -> str:
    """A host name as near to the session's as RFC 1123 allows."""
    return re.sub(r"[^A-Za-z0-9-]", "-", name).strip("-") or "session"
