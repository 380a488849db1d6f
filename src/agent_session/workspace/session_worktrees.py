"""Git worktrees that sessions made: repositories of the host know of them while the session exists."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from agent_session.host import nofollow
from agent_session.workspace import repositories
from agent_session.workspace.projects import Project

MARK = "agent-session: in session "
"""What `locked` of such a worktree begins with (shared_git.c in the base image); the name follows."""
LARGEST = 10_000


def forget(projects: Iterable[Project], session: str) -> None:
    """Remove what repositories know of the worktrees of a session that is gone, with its volumes.

    One inside of a project is still there: it stays known. The directories may be an agent's: they are
    reached through no link.
    """
    projects = tuple(projects)
    for folder, name, path in _made_by(projects, session):
        if not any(_is_left(path, one) for one in projects):
            shutil.rmtree(name, ignore_errors=True, dir_fd=folder)


def rename(projects: Iterable[Project], session: str, new: str) -> None:
    """Have the worktrees of a session belong to it under its new name."""
    for folder, name, _ in _made_by(projects, session):
        _lock(folder, name, new)


def _made_by(projects: Iterable[Project], session: str) -> Iterator[tuple[int, str, str]]:
    """Each worktree of a session: the open folder in which git keeps it, its name there, its path inside."""
    for project in projects:
        git = repositories.common(project.source)
        if git is None:
            continue
        try:
            folder = nofollow.open_directory(git, "worktrees")
        except OSError:
            continue
        try:
            for name in os.listdir(folder):  # noqa: PTH208 (a descriptor)
                if path := _path_in(folder, name, session):
                    yield folder, name, path
        finally:
            os.close(folder)


def _lock(folder: int, name: str, session: str) -> None:
    """Write whose a worktree is; it is reached through no link."""
    with contextlib.suppress(OSError):
        worktree = nofollow.open_directory(folder, name)
        try:
            file = os.open("locked", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, dir_fd=worktree)
            with os.fdopen(file, "w") as written:
                written.write(f"{MARK}{session}\n")
        finally:
            os.close(worktree)


def _path_in(folder: int, name: str, session: str) -> str:
    """The path in a session of a worktree that it made; "" for one of another session or of the host."""
    try:
        lock, path = (
            nofollow.read(folder, name, part, largest=LARGEST).decode("utf-8", "replace").strip()
            for part in ("locked", "gitdir")
        )
    except OSError:
        return ""
    own = lock == f"{MARK}{session}" and path.startswith(repositories.SESSIONS) and not os.path.lexists(path)
    return path if own else ""


def _is_left(path: str, project: Project) -> bool:
    """Whether a worktree is in a project, and so still on the host."""
    below = PurePosixPath(path)
    return project.target in below.parents and os.path.lexists(
        project.source / below.relative_to(project.target)
    )
