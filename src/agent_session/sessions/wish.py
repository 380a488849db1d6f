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
    screen: bool = True
    """Whether to wait until the agent shows something; else until a terminal can be attached."""
    restart: bool = False
    """Whether a session that runs is stopped first."""
    update: bool = False
    """Whether it moves to its agent's current image; what is stopped stays stopped."""


def directories(
    engine: Engine, wish: Wish, home: Path
) -> "tuple[tuple[Project, ...], tuple[Path, ...], Path | None]":
    """The projects of a new session, its read-only mounts, and the one at its own path. ProjectRefused."""
    from agent_session.workspace.projects import resolve_mounts, retargeted

    allowed = wish.allow_secret_directories
    if not wish.projects and wish.directory is None and not wish.no_projects:
        raise ProjectRefused(".", "the current directory has been removed")
    typed = () if wish.no_projects else wish.projects or (str(wish.directory),)
    projects = resolved(engine, wish, typed, home, allow_secrets=allowed)
    mounts = resolve_mounts(wish.mounts, home=home, allow_secrets=allowed)
    kob = resolve_mounts((wish.kob,), home=home, allow_secrets=allowed)[0] if wish.kob else None
    return retargeted(projects, wish.targets), mounts, kob


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
