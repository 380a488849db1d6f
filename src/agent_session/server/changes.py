"""What a session changed in its projects, compared, and where it can go; these functions block."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from agent_session.activity import shapes
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError, Hint, UsageError
from agent_session.sessions import difference, which
from agent_session.sessions.difference import Against
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone
from agent_session.workspace.projects import Project

Place = Clone | Project
INTO = Hint(shell='"into": "/srv/app"', note="a directory of the server's machine")


def places_meant(session: Session, project: str | None) -> Sequence[Place]:
    """Return a session's projects, or the one of that name, directory or URL. UsageError for no such one."""
    places: tuple[Place, ...] = (*session.projects, *session.clones)
    if project is None:
        return places
    found = [one for one in places if project in {one.target.name, str(one.source)}]
    if not found:
        names = ", ".join(one.target.name for one in places) or "none"
        raise UsageError(
            f"session '{session.name}' has no project {project!r}; there are: {names}",
            hint=Hint("status", [session.name]),
        )
    return found


def compared(
    engine: Engine,
    session: Session,
    places: Sequence[Place],
    environment: Mapping[str, str],
    against: Against,
) -> list[dict[str, Any]]:
    """Return what differs in each project, as `diff --json` tells it.

    `problem` says why it cannot be told of one: a directory without git, say.
    """
    told = []
    for place in places:
        changed: list[difference.FileChange] = []
        problem = None
        try:
            with difference.compute(engine, session, place, environment, against=against) as found:
                changed = difference.changes(found) if found else []
        except AgentSessionError as error:
            problem = error.message
        told.append(shapes.difference(place, changed) | {"problem": problem})
    return told


def patch(
    engine: Engine,
    session: Session,
    places: Sequence[Place],
    environment: Mapping[str, str],
    against: Against,
) -> IO[bytes]:
    """Return a file, at its beginning, with what differs, for `git apply`.

    Where there are several projects, their names are in front of all paths. Raises what comparing raises.
    """
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (who gets it closes it)
    for place in places:
        name = f"{place.target.name}/" if len(places) > 1 else ""
        prefixes = f"--src-prefix=a/{name}", f"--dst-prefix=b/{name}"
        with difference.compute(engine, session, place, environment, against=against) as found:
            if found:
                found.write(file, "--no-color", "--no-renames", "--binary", *prefixes)
    file.seek(0)
    return file


def destinations(session: Session, project: str | None, into: str | None) -> list[tuple[Clone, Path]]:
    """Return the clones that are meant, each with the directory of this machine that gets its work.

    Raises UsageError where none is known, and for one that is not absolute.
    """
    if into is not None and not into.startswith("/"):
        raise UsageError(f"{into!r} is not an absolute path of the server's machine", hint=INTO)
    found = []
    for clone in which.clones_meant(session, project):
        directory = Path(into) if into else clone.directory
        if directory is None:
            raise UsageError(
                f"the clone {clone.target.name} was not made from a directory: say which one gets its work",
                hint=INTO,
            )
        found.append((clone, directory))
    return found
