"""A wish for a session, as it is typed, and the directories that it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import Hint
from agent_session.sessions import find
from agent_session.sessions.names import NAME
from agent_session.sessions.options import DEFAULTS, Options
from agent_session.workspace.errors import ProjectRefused

if TYPE_CHECKING:
    from agent_session.agents.stored_login import StoredLogin
    from agent_session.workspace.clones import Clone
    from agent_session.workspace.projects import Project


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A wish for a session, made once where the words come in."""

    name: str
    agent: str | None = None
    """None where none was chosen."""
    projects: tuple[str, ...] = ()
    """As typed; none: `directory`."""
    directory: Path | None = None
    """The caller's current directory; None where that has been removed."""
    mounts: tuple[str, ...] = ()
    clone: bool = False
    """Whether directories are cloned, not mounted; a git URL always is."""
    with_changes: bool = False
    """Whether clones take the uncommitted changes of the host's working trees along."""
    clones: "tuple[Clone, ...]" = ()
    """The clones that its archive holds."""
    kob: str | None = None
    allow_secret_directories: bool = False
    options: Options = DEFAULTS
    fresh: bool = False
    insisted: frozenset[str] = frozenset()
    """Names of fields, of this class and of Options. A session that exists keeps what is not insisted on."""
    import_from: Path | None = None
    targets: tuple[PurePosixPath, ...] = ()
    """Where an imported session had its projects."""
    no_projects: bool = False
    """Of an import: no directory at all, not even `directory`."""
    logins: bool = False
    """Whether an imported session gets the logins at its first start already."""
    owner: str = ""
    """Whose a new session is on a server with several users; "": the user's who runs agent-session."""
    account: str = ""
    """The server's agent of that owner whose login a new session gets; "": this machine's logins."""
    login: "StoredLogin | None" = None
    """The login of the session's account, for one that has an account."""
    title: str = ""
    """What a new session is about, in its owner's words."""
    instructions: str = ""
    """For the agent of a new session, beside the user's own."""
    screen: bool = True
    """Whether to wait until the agent shows something; else until a terminal can be attached."""
    restart: bool = False
    """Whether a session that runs is stopped first."""
    update: bool = False
    """Whether it moves to its agent's current image; what is stopped stays stopped."""


@dataclass(frozen=True, kw_only=True)
class Directories:
    """The projects of a new session, its clones, its read-only mounts, and the one at its own path."""

    projects: "tuple[Project, ...]"
    clones: "tuple[Clone, ...]"
    mounts: tuple[Path, ...]
    kob: Path | None


def directories(engine: Engine, wish: Wish, home: Path) -> Directories:
    """Resolve what was typed for a new session. Raises ProjectRefused."""
    from agent_session.workspace.projects import resolve_mounts, retargeted

    allowed = wish.allow_secret_directories
    if not wish.projects and wish.directory is None and not wish.no_projects:
        raise ProjectRefused(".", "the current directory has been removed")
    typed = () if wish.no_projects else wish.projects or (str(wish.directory),)
    imported = wish.import_from is not None
    mounted, cloned = split(typed, clone=wish.clone and (not imported or "clone" in wish.insisted))
    if imported and cloned:
        raise ProjectRefused(cloned[0], "a start from an archive makes no clone; it has the archive's own")
    projects = resolved(engine, wish, mounted, home, allow_secrets=allowed)
    taken = [project.target for project in projects]
    for project in projects:
        if project.target in {clone.target for clone in wish.clones}:
            raise ProjectRefused(str(project), f"the archive has a clone at {project.target}")
    mounts = resolve_mounts(wish.mounts, home=home, allow_secrets=allowed)
    kob = resolve_mounts((wish.kob,), home=home, allow_secrets=allowed)[0] if wish.kob else None
    return Directories(
        projects=retargeted(projects, wish.targets) if not cloned else projects,
        clones=wish.clones or _placed(cloned, home, allow_secrets=allowed, taken=taken),
        mounts=mounts,
        kob=kob,
    )


def split(typed: Sequence[str], *, clone: bool) -> tuple[list[str], list[str]]:
    """Split what was typed into directories to mount and repositories to clone: all of it with `clone`."""
    if not clone and not any(":" in text for text in typed):
        return list(typed), []
    from agent_session.workspace import git_urls
    from agent_session.workspace.projects import split_mode

    modes = {text: split_mode(text) for text in typed}
    read_only = [text for text, (path, only) in modes.items() if only and Path(path).expanduser().is_dir()]
    if clone and read_only:
        raise ProjectRefused(read_only[0], "a clone is the session's own, so it cannot be read-only")
    cloned = [text for text in typed if clone or (text not in read_only and git_urls.read(text))]
    return [text for text in typed if text not in cloned], cloned


def _placed(
    typed: Sequence[str], home: Path, *, allow_secrets: bool, taken: "Sequence[PurePosixPath]"
) -> "tuple[Clone, ...]":
    if not typed:
        return ()
    from agent_session.workspace import clone_sources

    return clone_sources.place(typed, home, allow_secrets=allow_secrets, taken=taken)


def resolved(
    engine: Engine, wish: Wish, typed: Sequence[str], home: Path, *, allow_secrets: bool
) -> "tuple[Project, ...]":
    """Resolve the projects that were typed; the error for a session's name says how to name a session."""
    from agent_session.workspace.projects import resolve_projects

    try:
        return resolve_projects(typed, home=home, allow_secrets=allow_secrets)
    except ProjectRefused as error:
        words = [word for word in wish.projects if NAME.fullmatch(word) and not Path(word).exists()]
        names = {one.name for one in find.list_sessions(engine)} if words else set()
        if meant := [word for word in words if word in names]:
            error.hints = (Hint("start", ["-n", meant[0]]),)
        raise
