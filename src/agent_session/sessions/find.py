"""Sessions: find and list them. What is done to them is lifecycle's. The command line is one mouth of these; others follow.

A Session is only ever read back from a container; Podman is the database.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_session import inside
from agent_session.engine.protocol import Container, Engine
from agent_session.errors import NameTaken, SessionConflict, SessionNotFound
from agent_session.sessions import attach
from agent_session.sessions.labels import LABEL_NAME, read
from agent_session.sessions.names import check_name, container_name, importing_name, next_name, volume_names
from agent_session.sessions.session import Session
from agent_session.workspace import placeholders
from agent_session.workspace.placeholders import Placeholder

YOUNG = timedelta(seconds=90)
"""A session started longer ago than this has had its seed, or has given up waiting for it (60 s) and ended."""


def list_sessions(engine: Engine) -> list[Session]:
    """All sessions of this user, by name."""
    return _one_a_name(tidy(engine))


def known(engine: Engine) -> list[Session]:
    """All sessions of this user, by name, as list_sessions; but nothing is tidied up."""
    return _one_a_name(_look(engine))


def find_session(engine: Engine, name: str) -> Session | None:
    """The session of that name, None where there is none; NameTaken where its container's name is somebody else's."""
    own = engine.container(container_name(check_name(name)))
    session = _either(name, own, None if own else engine.container(next_name(name)))
    if own and session and not session.running and placeholders.any_left(session.placeholders):
        tidy(engine)
    return session


def find_running(engine: Engine, name: str) -> Session | None:
    """The session of that name if it runs and nobody has anything to do for it any more; None is no answer. One question."""
    container = engine.container(container_name(check_name(name)))
    session = read(container) if container else None
    return session if session and session.running and not needs_seed(session) else None


def get(engine: Engine, name: str) -> Session:
    """The session of that name; SessionNotFound where there is none."""
    session = find_session(engine, name)
    if session is None:
        raise SessionNotFound(name)
    return session


def check_agrees(session: Session, *, agent: str | None, projects: Sequence[Path]) -> None:
    """SessionConflict where what was asked for (None, empty: nothing) is not what the session has."""
    strangers = [path for path in projects if path not in {project.source for project in session.projects}]
    if agent not in {None, session.agent} or strangers:
        has = f"agent {session.agent} and " + (
            ", ".join(str(project.source) for project in session.projects) or "no project"
        )
        asked = [f"agent {agent}"] if agent not in {None, session.agent} else []
        raise SessionConflict(session.name, has=has, asked=", ".join([*asked, *map(str, strangers)]))


def needs_seed(session: Session) -> bool:
    """Whether a running session may still wait for its seed: its start was interrupted a moment ago."""
    return session.running and session.started is not None and datetime.now(UTC) - session.started < YOUNG


def attach_command(engine: Engine, session: Session, environment: dict[str, str]) -> list[str]:
    """The argv that puts this session on the caller's terminal, and ends clients whose terminal has vanished."""
    return engine.attach_command(
        session.container, [inside.SESSION_ATTACH, *attach.living_tokens()], environment
    )


def get_many(engine: Engine, names: Sequence[str]) -> tuple[list[Session], set[str]]:
    """The sessions of those names, and which of them a `recreate` goes on with, or was killed at. One question.

    SessionNotFound, NameTaken.
    """
    containers = {container.name: container for container in engine.containers("")}
    found = []
    unfinished = set()
    for name in names:
        own = containers.get(container_name(check_name(name)))
        following = containers.get(next_name(name))
        session = _either(name, own, following)
        if session is None:
            raise SessionNotFound(name)
        if following and read(following):
            unfinished.add(name)
        found.append(session)
    return found, unfinished


def tidy(engine: Engine, over: Sequence[Placeholder] = ()) -> list[Session]:
    """Remove from the host what held names for sessions that no longer run; returns all sessions, in no order.

    `over` are such of which the caller knows already: if one is still there, one look is enough.
    """

    def look() -> tuple[list[Session], list[Placeholder]]:
        found = _look(engine)
        needed = {held.path for session in found if session.running for held in session.placeholders}
        ended = [held for session in found if not session.running for held in session.placeholders]
        return found, [held for held in (*ended, *over) if held.path not in needed]

    if not placeholders.any_left(over):
        found, left = look()
        if not placeholders.any_left(left):
            return found
    with placeholders.held():  # whatever is about to start has started by then
        found, left = look()
        placeholders.clear(
            left, [held for session in found if session.running for held in session.placeholders]
        )
    return found


def check_removable(engine: Engine, name: str) -> None:
    """SessionNotFound, unless a volume is left of a session whose container somebody removed, or that was never made."""
    found = [engine.volume_labels(volume) for volume in (*volume_names(name), importing_name(name))]
    if not any(labels and labels.get(LABEL_NAME) == name for labels in found):
        raise SessionNotFound(name)


def _either(name: str, own: Container | None, following: Container | None) -> Session | None:
    """The session of that name: its own container, else the one of a `recreate` that was killed before its end. NameTaken."""
    there = own or following
    session = read(there) if there else None
    if own and session is None:
        raise NameTaken(name, own.name)
    return session


def _look(engine: Engine) -> list[Session]:
    """What the engine's containers say, in no order."""
    return [session for container in engine.containers(LABEL_NAME) if (session := read(container))]


def _one_a_name(found: list[Session]) -> list[Session]:
    """By name; where an update was killed before its end, the session's own container counts."""
    found.sort(key=lambda session: session.container == container_name(session.name))
    return sorted({session.name: session for session in found}.values(), key=lambda session: session.name)
