"""A wish that contradicts a session that exists is refused, with the commands that lead on."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint
from agent_session.sessions import find
from agent_session.sessions.errors import SessionConflict
from agent_session.sessions.options import OF_A_START, chosen, flags, plain
from agent_session.sessions.wish import Wish, resolved, split

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
    sources, strangers = _strangers(engine, wish, session, typed, home)
    if agent in {None, session.agent} and not strangers:
        return
    projects = ", ".join(_described(session)) or "no project"
    asked = [f"agent {agent}"] if agent not in {None, session.agent} else []
    directory = Path((strangers or [str(wish.directory or session.name)])[0])
    name = find.free_name((one.name for one in find.list_sessions(engine)), directory)
    cloned = ["--clone"] if wish.clone and sources else []
    words = [*(["-a", agent] if agent else []), *cloned, *sources]
    gone = [one.source for one in session.projects if engine.local and one.source.resolve() != one.source]
    gone += [one.source for one in session.projects if engine.local and not one.source.exists()]
    if len(gone) == len(strangers) == 1:
        instead = Hint(
            "move", [session.name, str(gone[0]), strangers[0]], note=f"if {gone[0]} was moved there"
        )
    else:
        instead = Hint("start", ["-n", name, *words], note="a new session")
    raise SessionConflict(
        session.name,
        has=f"agent {session.agent} and {projects}",
        asked=", ".join([*asked, *strangers]),
        instead=instead,
    )


def _strangers(
    engine: Engine, wish: Wish, session: "Session", typed: Sequence[str], home: Path
) -> tuple[list[str], list[str]]:
    """All projects that were typed, and those of them that the session does not have in that way."""
    mounted, cloned = split(typed, clone=wish.clone and "clone" in wish.insisted)
    projects = resolved(engine, wish, mounted, home, allow_secrets=True)
    directories = list(map(str, projects))
    had, writable = set(session.sources), {one.source for one in session.projects if not one.read_only}
    others = [
        str(one) for one in projects if one.source not in had or (one.read_only and one.source in writable)
    ]
    if not cloned:
        return directories, others
    from agent_session.workspace import clone_sources

    wanted = [one.source for one in clone_sources.place(cloned, home, allow_secrets=True)]
    own = [clone.source for clone in session.clones]
    others += [one for one in wanted if not any(one == had or one.startswith(f"{had}/") for had in own)]
    return [*directories, *wanted], others


def _described(session: "Session") -> list[str]:
    clones = [f"a clone of {clone.source or 'an archive'}" for clone in session.clones]
    return [*map(str, session.projects), *clones]


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
