"""Sessions: make, find, list, stop, resume, remove. The command line is one mouth of these; others follow.

A Session is only ever read back from a container; Podman is the database. Callers that may change a session hold its lock.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session import placeholders, plaintext, plan, servers, terminals
from agent_session.engine import ContainerSpec, Engine
from agent_session.errors import (
    NameTaken,
    NotFoundError,
    NotReady,
    PodmanRefused,
    SessionConflict,
    SessionNotFound,
    SessionRunning,
)
from agent_session.placeholders import Placeholder
from agent_session.plan import SessionRequest
from agent_session.projects import Project
from agent_session.protection import guarded, protect
from agent_session.session import Session, read
from agent_session.signals import uninterrupted

if TYPE_CHECKING:
    from agent_session.agents import Agent
    from agent_session.seed import Seed

READY_SECONDS = 60
GUARD = "/usr/local/bin/session-guard"
YOUNG = timedelta(seconds=90)
"""A session started longer ago than this has had its seed, or has given up waiting for it (60 s) and ended."""


def list_sessions(engine: Engine) -> list[Session]:
    """All sessions of this user, by name."""
    found = tidy(engine)
    found.sort(key=lambda session: session.container == plan.container_name(session.name))
    return sorted({session.name: session for session in found}.values(), key=lambda session: session.name)


def find(engine: Engine, name: str) -> Session | None:
    """The session of that name, None where there is none; NameTaken where its container's name is somebody else's."""
    container = engine.container(plan.container_name(plan.check_name(name)))
    if container is None:
        unfinished = engine.container(plan.next_name(name))
        return read(unfinished) if unfinished else None
    session = read(container)
    if session is None:
        raise NameTaken(name, container.name)
    if not session.running and placeholders.any_left(session.placeholders):
        tidy(engine)
    return session


def find_at_hand(engine: Engine, name: str) -> Session | None:
    """The session of that name if it runs and nobody has anything to do for it any more; None is no answer. One question."""
    container = engine.container(plan.container_name(plan.check_name(name)))
    session = read(container) if container else None
    return session if session and session.running and not needs_seed(session) else None


def get(engine: Engine, name: str) -> Session:
    """The session of that name; SessionNotFound where there is none."""
    session = find(engine, name)
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


def create(engine: Engine, request: SessionRequest, seed: "Seed", *, screen: bool) -> Session:
    """Make a session and wait until it is up (with `screen`: until its agent shows something).

    Whatever fails or interrupts, nothing made here is left behind. Raises NameTaken, PodmanRefused, NotReady.
    """
    spec, told = servers.connected(engine, plan.container_spec(request))
    made = False
    new: list[str] = []
    try:
        with placeholders.made(request.protection.placeholders):
            with uninterrupted():
                new = [volume for volume in plan.volume_names(request.name) if engine.volume_labels(volume) is None]
                engine.create(spec)
                made = True
                if not new:
                    engine.remove_volume(plan.importing_name(request.name))  # what was unpacked has a session now
            told += servers.start(engine, spec)
        notes = told + _bring_up(engine, spec.name, request.name, seed, screen=screen)
    except BaseException:
        with uninterrupted():
            if made:
                engine.remove(spec.name)
                for volume in new:
                    engine.remove_volume(volume)
            tidy(engine, request.protection.placeholders)
        raise
    return replace(get(engine, request.name), notes=notes)


def resume(engine: Engine, session: Session, seed: "Seed", *, screen: bool) -> Session:
    """Start a stopped session again and wait until it is up; if that fails it is stopped again, and nothing is lost."""
    settle(engine, session.name)
    container = plan.container_name(session.name)
    if session.started is None:  # who made it was killed: perhaps before an import's mark was taken away
        engine.remove_volume(plan.importing_name(session.name))
    try:
        with placeholders.made(session.placeholders):
            engine.start(container)
        notes = _bring_up(engine, container, session.name, seed, screen=screen)
    except BaseException:
        with uninterrupted():
            engine.stop(container)
            tidy(engine)
        raise
    return replace(get(engine, session.name), notes=notes)


def request_again(
    session: Session, agent: "Agent", *, image: str, ca_bundle: Path | None, rootful: bool, login: str | None
) -> SessionRequest:
    """What would have to be asked for to get this session, on another image or with another login."""
    return SessionRequest(
        name=session.name,
        agent=agent,
        image=image,
        projects=session.projects,
        mounts=session.mounts,
        kob=session.kob,
        ca_bundle=ca_bundle,
        rootful=rootful,
        options=session.options,
        login=login,
        created=session.created,
    )


def recreate(
    engine: Engine, session: Session, request: SessionRequest, seed: "Seed | None", *, screen: bool
) -> Session:
    """Another container for a session, which keeps its name, its volumes and what is running: without a seed it stays stopped.

    It is made beside the old one, which goes only when the new one is up. Whatever fails or interrupts before that, the
    old one is as it was, and runs if it did. Who is killed half-way leaves it to `settle`.
    """
    settle(engine, session.name)
    session = get(engine, session.name)
    spec, told = servers.connected(engine, plan.replacement_spec(request, runs=seed is not None))
    stopped = False
    try:
        with placeholders.made(request.protection.placeholders):
            engine.create(spec)
            if session.running:
                stopped = True
                engine.stop(session.container)
            if seed:
                told += servers.start(engine, spec)
        notes = told + _bring_up(engine, spec.name, session.name, seed, screen=screen) if seed else told
    except BaseException:
        with uninterrupted():
            engine.remove(spec.name)
            if stopped and seed:
                with placeholders.made(session.placeholders):
                    engine.start(session.container)
                _bring_up(engine, session.container, session.name, seed, screen=False)
            tidy(engine, request.protection.placeholders)
        raise
    with uninterrupted():
        engine.remove(session.container)
        engine.rename(spec.name, session.container)
        tidy(engine, session.placeholders)
    return replace(get(engine, session.name), notes=notes)


def settle(engine: Engine, name: str) -> bool:
    """Undo, or finish, a `recreate` that was killed: with the old container there, the new one is unfinished, else it is the session.

    Whether that was to end in a session that runs: the old container may have been stopped for it.
    """
    unfinished = engine.container(plan.next_name(name))
    if unfinished is None or read(unfinished) is None:
        return False
    if engine.container(plan.container_name(name)):
        engine.remove(unfinished.name)
    else:
        engine.rename(unfinished.name, plan.container_name(name))
    return plan.LABEL_RUNS in unfinished.labels


def _bring_up(engine: Engine, container: str, name: str, seed: "Seed", *, screen: bool) -> tuple[str, ...]:
    """Give a container that just started its seed and its guard, which keeps read-only paths read-only.

    Not as root: there the agent, uid 0 as well, could change what the guard runs with rights that the agent has not.
    """
    from agent_session.beside import beside  # 2 ms that ls need not pay

    with beside(1) as pool:
        guard = None if engine.rootful else pool.submit(engine.oversee, container, [GUARD, *guarded()])
        notes = deliver(engine, name, seed, screen=screen, container=container)
        if guard:
            guard.result()
        return notes


def deliver(engine: Engine, name: str, seed: "Seed", *, screen: bool, container: str = "") -> tuple[str, ...]:
    """Give a running session its seed and wait until it is up; harmless where it has one. Raises NotReady.

    Returns what the agent's preparation has to say to the user, in lines: a file it cannot use, say.
    """
    arguments = ["--timeout", str(READY_SECONDS), *(["--screen"] if screen else [])]
    try:
        target = container or plan.container_name(name)
        done = engine.run(target, ["session-seed", *arguments], stdin=seed.archive, timeout=READY_SECONDS + 10)
    except PodmanRefused as error:
        raise NotReady(name, "its container ended at once", [error.message]) from error
    said = [plaintext.shown(line[:300]) for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.exit_code:
        words = said[-8:]
        reason = (
            f"nothing on its screen after {READY_SECONDS} s" if done.exit_code == 124 else "its terminal did not start"
        )
        raise NotReady(name, reason, words)
    return tuple(said[:20])


def at_rest(engine: Engine, name: str) -> Session:
    """The session once it has ended, or as it is after the seconds that a stop may take.

    For who could run no command in it: Podman calls a container running until the last of its processes is gone.
    """
    deadline = time.monotonic() + ContainerSpec.stop_timeout
    while (session := get(engine, name)).running and time.monotonic() < deadline:
        time.sleep(0.05)
    return session


def needs_seed(session: Session) -> bool:
    """Whether a running session may still wait for its seed: its start was interrupted a moment ago."""
    return session.running and session.started is not None and datetime.now(UTC) - session.started < YOUNG


def attach_command(engine: Engine, session: Session, environment: dict[str, str]) -> list[str]:
    """The argv that puts this session on the caller's terminal, and ends clients whose terminal has vanished."""
    return engine.attach_command(session.container, ["session-attach", *terminals.living_tokens()], environment)


def pick(engine: Engine, names: Sequence[str]) -> tuple[list[Session], set[str]]:
    """The sessions of those names, and which of them a `recreate` goes on with, or was killed at. One question.

    SessionNotFound, NameTaken.
    """
    containers = {container.name: container for container in engine.containers("")}
    found = []
    unfinished = set()
    for name in names:
        own = containers.get(plan.container_name(plan.check_name(name)))
        following = containers.get(plan.next_name(name))
        there = own or following
        session = read(there) if there else None
        if own and session is None:
            raise NameTaken(name, own.name)
        if session is None:
            raise SessionNotFound(name)
        if following and read(following):
            unfinished.add(name)
        found.append(session)
    return found, unfinished


def stop(
    engine: Engine, sessions: Sequence[Session], *, worked_on: Callable[[str], bool] = lambda _name: True
) -> set[str]:
    """End sessions, all at the same time; nothing to do for those that do not run. Raises SessionNotFound, PodmanRefused.

    Returns the names of all sessions that a `recreate` goes on with, or was killed at, which might bring them up again.
    `worked_on` says whether a command holds a session's lock. Where none does, and a single session has left nothing on
    the host, there is nothing to be asked about afterwards: none, then.
    """
    over = [held for session in sessions for held in session.placeholders]
    if len(sessions) == 1:
        _stop(engine, *sessions)
        ended = []
        if not worked_on(sessions[0].name) and not placeholders.any_left(over):
            return set()
    else:
        from concurrent.futures import wait

        from agent_session.beside import beside

        with beside(8) as pool:
            ended = [pool.submit(_stop, engine, session) for session in sessions]
            wait(ended)
    found = tidy(engine, over)
    for one in ended:  # only now: a failure must not keep the others from being stopped
        one.result()
    return {session.name for session in found if session.container == plan.next_name(session.name)}


def remove(engine: Engine, name: str) -> None:
    """Remove a stopped session: its container and its volumes, never a project. SessionRunning, SessionNotFound."""
    settle(engine, plan.check_name(name))
    session = find(engine, name)
    if session is None:
        check_removable(engine, name)
    elif session.running:
        raise SessionRunning(name)
    with uninterrupted():
        if session:
            engine.remove(session.container)
        for volume in (*plan.volume_names(name), plan.importing_name(name)):
            engine.remove_volume(volume)
        tidy(engine, session.placeholders if session else ())


def tidy(engine: Engine, over: Sequence[Placeholder] = ()) -> list[Session]:
    """Remove from the host what held names for sessions that no longer run; returns all sessions, in no order.

    `over` are such of which the caller knows already: if one is still there, one look is enough.
    """

    def look() -> tuple[list[Session], list[Placeholder]]:
        found = [session for container in engine.containers(plan.LABEL_NAME) if (session := read(container))]
        needed = {held.path for session in found if session.running for held in session.placeholders}
        ended = [held for session in found if not session.running for held in session.placeholders]
        return found, [held for held in (*ended, *over) if held.path not in needed]

    if not placeholders.any_left(over):
        found, left = look()
        if not placeholders.any_left(left):
            return found
    with placeholders.held():  # whatever is about to start has started by then
        found, left = look()
        placeholders.clear(left, [held for session in found if session.running for held in session.placeholders])
    return found


def protected(request: SessionRequest, *, strict: bool) -> SessionRequest:
    """The request, with what protects the host from its agent; `strict` as in protection.protect, which says what it raises."""
    trees = [
        *request.projects,
        *([Project(source=request.kob.resolve(), target=PurePosixPath(request.kob))] if request.kob else []),
    ]
    return replace(request, protection=protect(trees, request.options.unprotected, strict=strict))


def check_removable(engine: Engine, name: str) -> None:
    """SessionNotFound, unless a volume is left of a session whose container somebody removed, or that was never made."""
    found = [engine.volume_labels(volume) for volume in (*plan.volume_names(name), plan.importing_name(name))]
    if not any(labels and labels.get(plan.LABEL_NAME) == name for labels in found):
        raise SessionNotFound(name)


def _stop(engine: Engine, session: Session) -> None:
    try:
        engine.stop(session.container)
    except NotFoundError as error:
        raise SessionNotFound(session.name) from error
