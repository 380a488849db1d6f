"""Projects that are not where a session has them, and a session that is told where one is now."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint, NotFoundError
from agent_session.sessions.errors import ProjectMoved
from agent_session.sessions.steps import Replace
from agent_session.sessions.wish import Wish
from agent_session.workspace.projects import Project, resolve

if TYPE_CHECKING:
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.session import Session


def check(engine: Engine, session: "Session") -> None:
    """Raise ProjectMoved where a project is gone, or a link has taken its place.

    On another machine that cannot be seen from here.
    """
    if engine.local is None:
        return
    for project in session.projects:
        if not project.source.exists():
            raise ProjectMoved(session.name, project.source)
        if (now := project.source.resolve()) != project.source:
            raise ProjectMoved(session.name, project.source, now)


def decide(
    engine: Engine, session: "Session", old: str, new: str, wish: Wish, installation: "Installation"
) -> Replace:
    """Decide how a stopped session gets its project `old` from the path `new`; nothing is changed.

    Its place in the session stays, and with it the conversation. Raises NotFoundError, ConflictError, and
    ProjectRefused as every start does.
    """
    from agent_session.sessions import notes
    from agent_session.sessions import request as requests

    project = named(session, old)
    allowed = wish.allow_secret_directories
    source = resolve(new, home=installation.home, allow_secrets=allowed)
    if session.running:
        then = Hint("move", [session.name, old, new])
        raise ConflictError(f"session '{session.name}' runs", hint=Hint("stop", [session.name], then=then))
    if any(source == other.source for other in session.projects):
        raise ConflictError(
            f"session '{session.name}' has {source} already", hint=Hint("status", [session.name])
        )
    projects = tuple(
        Project(source=source, target=one.target) if one == project else one for one in session.projects
    )
    request = requests.again(engine, wish, installation, replace(session, projects=projects))
    told = (*request.protection.notes, *notes.on_options(engine, request.options))
    return Replace(session=session, request=request, screen=False, runs=False, notes=told)


def named(session: "Session", typed: str) -> Project:
    """The project at a host path, or of that name in the session."""
    path = Path(os.path.abspath(Path(typed).expanduser()))  # noqa: PTH100 (what is a link now was a directory)
    for project in session.projects:
        if path == project.source or typed in {str(project.target), project.target.name}:
            return project
    had = ", ".join(str(project.source) for project in session.projects) or "none"
    raise NotFoundError(
        f"session '{session.name}' has no project {typed!r}; it has: {had}",
        hint=Hint("status", [session.name]),
    )
