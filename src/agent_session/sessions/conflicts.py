"""A wish that contradicts a session that exists is refused, with the commands that lead on."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint
from agent_session.sessions import find
from agent_session.sessions.errors import SessionConflict
from agent_session.sessions.options import OF_A_START, chosen, flags, plain
from agent_session.sessions.wish import Wish, resolved

if TYPE_CHECKING:
    from agent_session.sessions.session import Session


def check_agrees(engine: Engine, wish: Wish, session: "Session", home: Path) -> None:
    """Raise ConflictError where the wish insists on another agent, other projects or a new session."""
    if wish.import_from:
        free = find.free_name((one.name for one in find.list_sessions(engine)), Path(session.name))
        hint = Hint("start", ["--import", str(wish.import_from), "-n", free])
        raise ConflictError(f"session '{session.name}' exists already", hint=hint)
    agent = wish.agent if "agent" in wish.insisted else None
    typed = wish.projects if "projects" in wish.insisted else ()
    sources = [one.source for one in resolved(engine, wish, typed, home, allow_secrets=True)]
    strangers = [path for path in sources if path not in {project.source for project in session.projects}]
    if agent in {None, session.agent} and not strangers:
        return
    projects = ", ".join(str(project.source) for project in session.projects) or "no project"
    asked = [f"agent {agent}"] if agent not in {None, session.agent} else []
    directory = (strangers or [wish.directory or Path(session.name)])[0]
    name = find.free_name((one.name for one in find.list_sessions(engine)), directory)
    words = [*(["-a", agent] if agent else []), *map(str, sources)]
    raise SessionConflict(
        session.name,
        has=f"agent {session.agent} and {projects}",
        asked=", ".join([*asked, *map(str, strangers)]),
        instead=Hint("start", ["-n", name, *words], note="a new session"),
    )


def check_effect(wish: Wish, session: "Session", environment: Mapping[str, str]) -> None:
    """Raise ConflictError where the wish insists on an option that takes effect at the next start only."""
    if not wish.insisted & OF_A_START:
        return
    wanted = chosen(wish.options, wish.insisted, environment, session.options)
    later = [
        flags(name, getattr(wanted, name))
        for name in sorted(wish.insisted & OF_A_START - {"fresh"})
        if plain(name, getattr(wanted, name)) != plain(name, getattr(session.options, name))
    ]
    later += [["--fresh"]] if wish.fresh and "fresh" in wish.insisted else []
    if later:
        take = "takes" if len(later) == 1 else "take"
        words = [word for option in later for word in option]
        again = Hint("start", ["-n", session.name, *words])
        raise ConflictError(
            f"session '{session.name}' runs: {shlex.join(words)} {take} effect at its next start",
            hint=Hint("stop", [session.name], then=again),
        )
