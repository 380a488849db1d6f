"""A session gets another project, or one less: in another container, on the same volumes.

The agent starts where it did, because its conversations belong to that directory.
"""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from agent_session import inside
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint
from agent_session.sessions import moved, plan
from agent_session.sessions.steps import Replace
from agent_session.sessions.wish import Wish
from agent_session.workspace.projects import Project, resolve, split_mode

if TYPE_CHECKING:
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.session import Session


def add(engine: Engine, session: "Session", typed: str, wish: Wish, installation: "Installation") -> Replace:
    """Decide how a session gets the project PATH or PATH:ro, or one that it has in another mode.

    Nothing is changed. Raises ConflictError where it has that already, ProjectRefused as every start does.
    """
    path, read_only = split_mode(typed)
    allowed = wish.allow_secret_directories
    source = resolve(path, home=installation.home, allow_secrets=allowed)
    had = next((one for one in session.projects if one.source == source), None)
    if had and had.read_only == read_only:
        raise ConflictError(
            f"session '{session.name}' has {had} already", hint=Hint("status", [session.name])
        )
    if had:
        changed = replace(had, read_only=read_only)
        projects = tuple(changed if one == had else one for one in session.projects)
    else:
        target = _free_target(source.parts, session.places)
        projects = (*session.projects, Project(source=source, target=target, read_only=read_only))
    return _decided(engine, session, projects, wish, installation)


def drop(engine: Engine, session: "Session", typed: str, wish: Wish, installation: "Installation") -> Replace:
    """Decide how a session loses a project; nothing is changed, and nothing in the project ever is.

    Raises NotFoundError, and ConflictError for the project that the agent starts in.
    """
    project = moved.named(session, typed)
    if project.target == plan.workdir(session):
        raise ConflictError(
            f"the agent of '{session.name}' starts in {project.target}, and its conversations belong there",
            hint=Hint("start", ["-n", f"{session.name}-2", "PROJECT"], note="a session without it"),
        )
    projects = tuple(one for one in session.projects if one != project)
    return _decided(engine, session, projects, wish, installation)


def _decided(
    engine: Engine,
    session: "Session",
    projects: tuple[Project, ...],
    wish: Wish,
    installation: "Installation",
) -> Replace:
    from agent_session.sessions import notes, ports
    from agent_session.sessions import request as requests

    after = replace(session, projects=projects)
    moved.check(engine, after)
    start = plan.workdir(session)
    workdir = start if plan.workdir(replace(after, workdir=None)) != start else None
    request = requests.again(engine, wish, installation, replace(after, workdir=workdir))
    if session.running:
        ports.check(engine, request, session)
    told = (*request.protection.notes, *notes.on_options(engine, request.options))
    return Replace(session=session, request=request, screen=True, runs=session.running, notes=told)


def _free_target(parts: tuple[str, ...], taken: tuple[PurePosixPath, ...]) -> PurePosixPath:
    """A place for a directory that nothing has: its name, with its parents' in front where it must be."""
    names = ["-".join(parts[1:][-depth:]) for depth in range(1, len(parts))]
    numbered = [f"{names[0]}-{number}" for number in range(2, len(taken) + 3)]
    places = (inside.WORKSPACE / name for name in (*names, *numbered))
    return next(place for place in places if place not in taken)
