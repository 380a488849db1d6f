"""Sessions: find and list them, and change nothing. What is done to them is lifecycle's.

A Session is only ever read back from a container; Podman is the database.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from agent_session import inside
from agent_session.engine.container import Container
from agent_session.engine.errors import NameTaken
from agent_session.engine.protocol import Engine
from agent_session.sessions import attach
from agent_session.sessions.errors import SessionNotFound
from agent_session.sessions.labels import LABEL_NAME, LABEL_RUNS, read
from agent_session.sessions.names import check_name, container_name, importing_name, next_name, volume_names
from agent_session.sessions.session import Session

YOUNG = timedelta(seconds=90)
"""A session started longer ago than this has had its seed, or has given up waiting for it (60 s) and
ended."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A session, and what an update that goes on, or was killed, has left of it for `leftovers.settle`."""

    session: Session
    unsettled: bool = False
    interrupted: bool = False  # the update had stopped it, and was to end in a session that runs


def find_all(engine: Engine) -> dict[str, Found]:
    """Read all sessions of this user, by name. One question."""
    by_name = {
        container.name: (container, session)
        for container in engine.containers(LABEL_NAME)
        if (session := read(container))
    }
    names = {session.name for _, session in by_name.values()}
    found = {name: _found(name, by_name) for name in sorted(names)}
    return {name: one for name, one in found.items() if one}


def look(engine: Engine, name: str) -> Found | None:
    """Read the session of that name, None where there is none. One question; BadName, NameTaken."""
    check_name(name)
    own = {container_name(name), next_name(name)}
    containers = [container for container in engine.containers("") if container.name in own]
    return _found(name, {container.name: (container, read(container)) for container in containers})


def list_sessions(engine: Engine) -> list[Session]:
    """Read all sessions of this user, sorted by name. One question."""
    return [found.session for found in find_all(engine).values()]


def find_session(engine: Engine, name: str) -> Session | None:
    """Read the session of that name, None where there is none.

    Raises NameTaken where the container of that name is no session.
    """
    found = look(engine, name)
    return found.session if found else None


def free_name(sessions: Iterable[str], directory: Path) -> str:
    """A name for a session of a directory that no session has yet: the directory's, or that with a number."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", directory.name).strip("-._")[:55] or "session"
    taken = set(sessions)
    return next(
        one for number in count(1) if (one := name if number == 1 else f"{name}-{number}") not in taken
    )


def get(engine: Engine, name: str) -> Session:
    """The session of that name; SessionNotFound where there is none."""
    session = find_session(engine, name)
    if session is None:
        raise SessionNotFound(name)
    return session


def with_others(engine: Engine, name: str) -> tuple[Session, list[Session]]:
    """The session of that name, and all sessions of this user. One question; SessionNotFound, NameTaken."""
    check_name(name)
    containers = _read(engine)
    found = _found(name, containers)
    if found is None:
        raise SessionNotFound(name)
    return found.session, [session for _, session in containers.values() if session]


def written_by_agents(sessions: Iterable[Session]) -> list[Path]:
    """The host's directories that agents write in, those of stopped sessions too: a link there is theirs."""
    return [
        path
        for session in sessions
        for path in (
            *(project.source for project in session.projects),
            *([session.kob] if session.kob else []),
        )
    ]


def is_up(found: Found) -> bool:
    """Whether a session runs, and nothing is left to be done for it."""
    return found.session.running and not found.unsettled and not needs_seed(found.session)


def needs_seed(session: Session) -> bool:
    """Whether a running session may still wait for its seed: its start was interrupted a moment ago."""
    return session.running and session.started is not None and datetime.now(UTC) - session.started < YOUNG


def attach_command(engine: Engine, session: Session, environment: dict[str, str]) -> list[str]:
    """The argv that attaches the caller's terminal, and ends clients whose terminal has vanished."""
    return engine.attach_command(
        session.container, [inside.SESSION_ATTACH, *attach.living_tokens()], environment
    )


def get_many(engine: Engine, names: Sequence[str]) -> list[Found]:
    """Read the sessions of those names. One question; SessionNotFound, NameTaken."""
    for name in names:
        check_name(name)
    containers = _read(engine)
    found = []
    for name in names:
        one = _found(name, containers)
        if one is None:
            raise SessionNotFound(name)
        found.append(one)
    return found


def check_removable(engine: Engine, name: str) -> None:
    """Raise SessionNotFound, unless a volume is left of a session without a container.

    Its container was removed by hand, or never made.
    """
    found = [engine.volume_labels(volume) for volume in (*volume_names(name), importing_name(name))]
    if not any(labels and labels.get(LABEL_NAME) == name for labels in found):
        raise SessionNotFound(name)


def _read(engine: Engine) -> dict[str, tuple[Container, Session | None]]:
    """All containers by name, each with the session that it is."""
    return {one.name: (one, read(one)) for one in engine.containers("")}


def _found(name: str, containers: Mapping[str, tuple[Container, Session | None]]) -> Found | None:
    """The session of that name: its own container, or that of a `recreate` that was killed."""
    own, kept = containers.get(container_name(name), (None, None))
    following, begun = containers.get(next_name(name), (None, None))
    if own and kept is None:
        raise NameTaken(name, own.name)
    session = kept or begun
    if session is None:
        return None
    interrupted = begun is not None and following is not None and LABEL_RUNS in following.labels
    return Found(session=session, unsettled=begun is not None, interrupted=interrupted)
