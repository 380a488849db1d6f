"""Chooses the session of a command line that names none.

It is the session of this directory, else the only one, else `default`.
"""

from collections.abc import Sequence
from pathlib import Path

from agent_session.errors import Hint, NotFoundError, UsageError
from agent_session.sessions.session import Session

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
