"""Chooses the session of a command line that names none.

It is the session of this directory, else the only one, else `default`.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from agent_session.errors import Hint, NotFoundError, UsageError
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone

DEFAULT = "default"


def containing(sessions: Sequence[Session], directory: Path) -> list[Session]:
    """List the sessions whose innermost project contains a directory.

    There are several where they share that project.
    """
    depths = {
        session.name: max(
            len(source.parts)
            for source in session.sources
            if source == directory or source in directory.parents
        )
        for session in sessions
        if session.contains(directory)
    }
    deepest = max(depths.values(), default=0)
    return [session for session in sessions if depths.get(session.name) == deepest]


def clones_meant(session: Session, project: str | None) -> tuple[Clone, ...]:
    """The clones of a session that are meant: all of them, or the one of that name, directory or URL.

    UsageError where it has none, or none such.
    """
    if not session.clones:
        directory = str(session.projects[0].source) if session.projects else "."
        raise UsageError(
            f"session '{session.name}' has no clone: its projects are mounted, so what it changes is in them",
            hint=Hint(shell=f"git -C {shlex.quote(directory)} diff HEAD"),
        )
    if project is None:
        return session.clones
    directory = str(Path(project).expanduser().absolute())
    found = [
        one for one in session.clones if project in {one.target.name, one.source} or directory == one.source
    ]
    if not found:
        names = ", ".join(one.target.name for one in session.clones)
        raise UsageError(
            f"session '{session.name}' has no clone {project!r}; there are: {names}",
            hint=Hint("status", [session.name]),
        )
    return tuple(found)


def meant(sessions: Sequence[Session], directory: Path | None, *, verb: str = "attach") -> Session:
    """The session that is meant where none is named. `verb` is for the hint.

    NotFoundError where there is none; UsageError, with the names, where it could be several.
    """
    here = containing(sessions, directory) if directory else []
    candidates = here or sessions
    default = [session for session in candidates if session.name == DEFAULT]
    if len(candidates) == 1 or (default and not here):
        return (default or [*candidates])[0]
    if not candidates:
        raise NotFoundError("there is no session yet", hint=Hint("start"))
    names = ", ".join(session.name for session in candidates)
    raise UsageError(
        f"several sessions contain {directory}: {names}; name one"
        if here
        else f"there are several sessions, and none contains this directory: {names}; name one",
        hint=Hint(verb, [candidates[0].name]),
    )
