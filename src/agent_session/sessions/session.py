"""A session as Podman knows it; `labels.read` reads it back from a container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from agent_session.engine.published import Published, parse
from agent_session.sessions.options import Options
from agent_session.workspace.clones import Clone
from agent_session.workspace.placeholders import Placeholder
from agent_session.workspace.projects import Project


@dataclass(frozen=True, kw_only=True)
class Session:
    """One session as Podman knows it. Its times are aware.

    `started` is None if it never ran, `ended` if it runs or its end was not recorded.
    """

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
    clones: tuple[Clone, ...] = ()
    workdir: PurePosixPath | None = None
    """Where its agent starts, where that is not told by its projects: they have been others."""
    mounts: tuple[Path, ...] = ()
    kob: Path | None = None
    options: Options = field(default_factory=Options)
    login: str | None = None
    login_on_disk: bool = False
    """Its container was made by an older agent-session, which left the login on the disk with it."""
    owner: str = ""
    """Whose it is on a server with several users; "": the user's who runs agent-session."""
    account: str = ""
    """The server's agent whose login it has; "": this machine's logins."""
    title: str = ""
    instructions: str = ""
    """For its agent, beside the user's own."""
    without_logins: bool = False  # made of an archive, and not started again since
    protection: str = ""  # digest
    placeholders: tuple[Placeholder, ...] = ()

    @property
    def published(self) -> tuple[Published, ...]:
        """The ports that were chosen to be published, on this machine's loopback."""
        return tuple(map(parse, self.options.publish))

    @property
    def labels(self) -> dict[str, str]:
        """The user's own labels."""
        parts = (one.partition("=") for one in self.options.label)
        return {key: value for key, _, value in parts}

    @property
    def running(self) -> bool:
        """Whether its container runs."""
        return self.status == "running"

    @property
    def sources(self) -> tuple[Path, ...]:
        """The directories of the host that it works on, mounted or cloned."""
        cloned = (clone.directory for clone in self.clones)
        return (*(project.source for project in self.projects), *(path for path in cloned if path))

    @property
    def places(self) -> tuple[PurePosixPath, ...]:
        """Where its projects are in it, mounted or cloned."""
        return (*(project.target for project in self.projects), *(clone.target for clone in self.clones))

    def contains(self, directory: Path) -> bool:
        """Whether a host directory is in one of its projects."""
        return any(source == directory or source in directory.parents for source in self.sources)
