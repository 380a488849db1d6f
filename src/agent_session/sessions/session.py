"""A session as Podman knows it, read back from its container's labels. Labels can be made by anybody, so what does not fit is nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from agent_session.engine.protocol import Container
from agent_session.sessions import plan
from agent_session.workspace.placeholders import Placeholder
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import read_label


@dataclass(frozen=True, kw_only=True)
class Session:
    """One session as Podman knows it. Its times are aware; `started` is None if it never ran, `ended` if it runs or nobody saw its end."""

    name: str
    agent: str
    status: Literal["running", "stopped"]
    projects: tuple[Project, ...]
    created: datetime
    container: str
    image: str
    started: datetime | None = None
    ended: datetime | None = None
    id: str = ""  # its container's
    pid: int | None = None  # of its container's first process, while it runs
    networks: tuple[str, ...] = ()
    ports: Mapping[int, int] = field(
        default_factory=dict
    )  # of its agent's server: this machine's for the container's
    mounts: tuple[Path, ...] = ()
    kob: Path | None = None
    options: plan.Options = field(default_factory=plan.Options)
    login: str | None = None
    protection: str = ""  # digest
    placeholders: tuple[Placeholder, ...] = ()
    notes: tuple[str, ...] = ()  # what its start had to say to the user; only of the call that started it

    @property
    def running(self) -> bool:
        """Whether its container runs."""
        return self.status == "running"

    def contains(self, directory: Path) -> bool:
        """Whether a host directory is in one of its projects."""
        return any(
            project.source == directory or project.source in directory.parents for project in self.projects
        )


def read(container: Container) -> Session | None:
    """None for a container that is not ours: by its labels, and by a name that goes with them."""
    name = container.labels.get(plan.LABEL_NAME)
    if name is None or not plan.NAME.fullmatch(name):
        return None
    if container.name not in {plan.container_name(name), plan.next_name(name)}:
        return None
    mounts = _mounts(container.labels.get(plan.LABEL_MOUNTS, ""))
    protection, held = read_label(container.labels.get(plan.LABEL_PROTECTION, ""))
    return Session(
        name=name,
        agent=container.labels.get(plan.LABEL_AGENT, "?"),
        status="running" if container.running else "stopped",
        projects=_projects(container.labels.get(plan.LABEL_PROJECTS, "")),
        created=_created(container),
        container=container.name,
        image=container.image,
        started=container.started,
        ended=container.ended,
        id=container.id,
        pid=container.pid,
        networks=container.networks,
        ports=container.ports,
        mounts=tuple(path for path, read_only in mounts if read_only),
        kob=next((path for path, read_only in mounts if not read_only), None),
        options=plan.read_options(container.labels.get(plan.LABEL_OPTIONS, "")),
        login=container.labels.get(plan.LABEL_LOGIN) or None,
        protection=protection,
        placeholders=held,
    )


def unreadable(container: Container) -> list[str]:
    """The labels that do not say what agent-session wrote: somebody edited them, and `read` takes what is in them for nothing."""
    label = container.labels.get
    wrong = [] if label(plan.LABEL_AGENT) else [plan.LABEL_AGENT]
    for name, count in (
        (plan.LABEL_PROJECTS, len(_projects(label(plan.LABEL_PROJECTS, "")))),
        (plan.LABEL_MOUNTS, len(_mounts(label(plan.LABEL_MOUNTS, "")))),
    ):
        said = _json(label(name, ""))
        if not isinstance(said, list) or len(said) != count:
            wrong.append(name)
    options = _json(label(plan.LABEL_OPTIONS, ""))
    known = json.loads(json.dumps(asdict(plan.read_options(label(plan.LABEL_OPTIONS, "")))))
    if not isinstance(options, dict) or any(
        known[key] != value for key, value in options.items() if key in known
    ):
        wrong.append(plan.LABEL_OPTIONS)
    if not read_label(label(plan.LABEL_PROTECTION, ""))[0]:
        wrong.append(plan.LABEL_PROTECTION)
    return wrong


def _json(label: str) -> object:
    try:
        return json.loads(label)
    except ValueError:
        return None


def _created(container: Container) -> datetime:
    try:
        said = datetime.fromisoformat(container.labels.get(plan.LABEL_CREATED, ""))
    except ValueError:
        return container.created
    return said if said.tzinfo else container.created


def _mounts(label: str) -> list[tuple[Path, bool]]:
    try:
        return [(Path(item["path"]), bool(item["read_only"])) for item in json.loads(label)]
    except (ValueError, TypeError, KeyError):
        return []


def _projects(label: str) -> tuple[Project, ...]:
    """Labels can be made by anybody: what does not read as projects is none."""
    try:
        return tuple(
            Project(source=Path(item["source"]), target=PurePosixPath(item["target"]))
            for item in json.loads(label)
        )
    except (ValueError, TypeError, KeyError):
        return ()
