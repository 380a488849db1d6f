"""Sessions are made, started again, replaced, stopped and removed. Callers hold the session's lock.

`stop` needs no lock and waits for none. Whatever fails or interrupts, nothing half-made is left behind; after
a kill, the next command can finish or undo what is left.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session import inside, sanitize
from agent_session.engine.protocol import ContainerSpec, Engine
from agent_session.errors import (
    DOCTOR,
    EngineRefused,
    Interrupted,
    NotFoundError,
    NotReady,
    SessionNotFound,
    SessionRunning,
)
from agent_session.host.signals import uninterrupted
from agent_session.sessions import endpoint, find, plan
from agent_session.sessions.labels import LABEL_NAME, LABEL_RUNS, read
from agent_session.sessions.names import check_name, container_name, importing_name, next_name, volume_names
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.workspace import placeholders
from agent_session.workspace.placeholders import Placeholder
from agent_session.workspace.projects import Project
from agent_session.workspace.protected_paths import guarded
from agent_session.workspace.scan import protect

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.agents.seed import Seed

READY_SECONDS = 60
Report = Callable[[str], None]
"""Is told what the user should know, a line each."""


def unheard(_line: str) -> None:
    """Ignore a line."""


def protected(request: SessionRequest, *, strict: bool) -> SessionRequest:
    """Add to the request what protects the host from its agent. Raises as scan.protect does."""
    trees = [
        *request.projects,
        *([Project(source=request.kob.resolve(), target=PurePosixPath(request.kob))] if request.kob else []),
    ]
    return replace(request, protection=protect(trees, request.options.unprotected, strict=strict))


def create(
    engine: Engine, request: SessionRequest, seed: "Seed", *, screen: bool, report: Report = unheard
) -> Session:
    """Make a session and wait until it is up (with `screen`: until its agent shows something).

    Whatever fails or interrupts, nothing made here is left behind. Raises NameTaken, EngineRefused, NotReady.
    """
    spec, told = endpoint.connected(engine, plan.container_spec(request))
    made = False
    new: list[str] = []
    try:
        with placeholders.made(request.protection.placeholders):
            with uninterrupted():
                new = [
                    volume for volume in volume_names(request.name) if engine.volume_labels(volume) is None
                ]
                engine.create(spec)
                made = True
                if not new:
                    engine.remove_volume(importing_name(request.name))  # what was unpacked has a session now
            told += endpoint.start(engine, spec)
        told += _bring_up(engine, spec.name, request.name, seed, screen=screen)
    except BaseException as error:
        with uninterrupted():
            if made:
                engine.remove(spec.name)
                for volume in new:
                    engine.remove_volume(volume)
            tidy(engine, request.protection.placeholders)
        if isinstance(error, NotReady):
            error.hints = (DOCTOR,)  # there is no session any more that could be stopped
        raise
    return _told(report, told, find.get(engine, request.name))


def resume(
    engine: Engine, session: Session, seed: "Seed", *, screen: bool, report: Report = unheard
) -> Session:
    """Start a session again and wait until it is up; if that fails it is stopped, and nothing is lost.

    One that runs is ended first; after an interrupt at that moment it goes on running.
    """
    settle(engine, session.name)
    container = container_name(session.name)
    if session.started is None:  # its start was killed, perhaps before an import's mark was removed
        engine.remove_volume(importing_name(session.name))
    try:
        if session.running:
            engine.stop(container)
        with placeholders.made(session.placeholders):
            engine.start(container)
        told = _bring_up(engine, container, session.name, seed, screen=screen)
    except BaseException as error:
        with uninterrupted():
            engine.stop(container)
            if session.running and isinstance(error, Interrupted | KeyboardInterrupt):
                with placeholders.made(session.placeholders):
                    engine.start(container)
                _bring_up(engine, container, session.name, seed, screen=False)
            tidy(engine)
        raise
    return _told(report, told, find.get(engine, session.name))


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
    engine: Engine,
    session: Session,
    request: SessionRequest,
    seed: "Seed | None",
    *,
    screen: bool,
    report: Report = unheard,
) -> Session:
    """Replace a session's container; its name, volumes and state stay. Without a seed it stays stopped.

    It is made beside the old one, which goes only when the new one is up. Whatever fails or interrupts before
    that, the old one is as it was, and runs if it did. After a kill `settle` finishes it.
    """
    settle(engine, session.name)
    session = find.get(engine, session.name)
    spec, told = endpoint.connected(engine, plan.replacement_spec(request, runs=seed is not None))
    stopped = False
    try:
        with placeholders.made(request.protection.placeholders):
            engine.create(spec)
            if session.running:
                stopped = True
                engine.stop(session.container)
            if seed:
                told += endpoint.start(engine, spec)
        if seed:
            told += _bring_up(engine, spec.name, session.name, seed, screen=screen)
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
    return _told(report, told, find.get(engine, session.name))


def settle(engine: Engine, name: str) -> bool:
    """Finish or undo a `recreate` that was killed.

    With the old container there, the new one is unfinished and removed, else it becomes the session.

    Whether that was to end in a session that runs: the old container may have been stopped for it.
    """
    unfinished = engine.container(next_name(name))
    if unfinished is None or read(unfinished) is None:
        return False
    if engine.container(container_name(name)):
        engine.remove(unfinished.name)
    else:
        engine.rename(unfinished.name, container_name(name))
    return LABEL_RUNS in unfinished.labels


def tidy(engine: Engine, over: Sequence[Placeholder] = ()) -> list[Session]:
    """Remove placeholders of sessions that no longer run; returns all sessions, in no order.

    `over` are such of which the caller knows already: if one is still there, one look is enough.
    """

    def look() -> tuple[list[Session], list[Placeholder]]:
        found = [session for container in engine.containers(LABEL_NAME) if (session := read(container))]
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


def send_seed(
    engine: Engine, name: str, seed: "Seed", *, screen: bool, container: str = ""
) -> tuple[str, ...]:
    """Give a running session its seed and wait until it is up; harmless where it has one. Raises NotReady.

    Returns what the agent's preparation has to say to the user, in lines: a file it cannot use, say.
    """
    arguments = ["--timeout", str(READY_SECONDS), *(["--screen"] if screen else [])]
    target = container or container_name(name)
    try:
        done = engine.exec(
            target, [inside.SESSION_SEED, *arguments], stdin=seed.archive, timeout=READY_SECONDS + 10
        )
    except EngineRefused as error:
        words = [error.message, *_lines(engine.log_tail(target))]
        raise NotReady(name, "its container ended at once", words) from error
    lines = _lines(done.message) if done.stderr.strip() else []
    if done.exit_code:
        words = lines[-8:]
        reason = (
            f"nothing on its screen after {READY_SECONDS} s"
            if done.exit_code == 124
            else "its terminal did not start"
        )
        raise NotReady(name, reason, words)
    return tuple(lines[:20])


def wait_until_stopped(engine: Engine, name: str) -> Session:
    """The session once it has ended, or as it is after the seconds that a stop may take.

    For callers that could run no command in it: Podman calls a container running until the last of its
    processes is gone.
    """
    deadline = time.monotonic() + ContainerSpec.stop_timeout
    while (session := find.get(engine, name)).running and time.monotonic() < deadline:
        time.sleep(0.05)
    return session


def stop(
    engine: Engine, those: Sequence[Session], *, worked_on: Callable[[str], bool] = lambda _name: True
) -> set[str]:
    """End sessions, all at the same time; stopped ones stay. Raises SessionNotFound, EngineRefused.

    Returns the names of all sessions that a `recreate` goes on with, or was killed at, which might bring them
    up again. `worked_on` says whether a command holds a session's lock. Where none does, and a single session
    has left nothing on the host, there is nothing to be asked about afterwards: none, then.
    """
    over = [held for session in those for held in session.placeholders]
    if len(those) == 1:
        _stop(engine, *those)
        ended = []
        if not worked_on(those[0].name) and not placeholders.any_left(over):
            return set()
    else:
        from concurrent.futures import wait

        from agent_session.host.threads import beside

        with beside(8) as pool:
            ended = [pool.submit(_stop, engine, session) for session in those]
            wait(ended)
    found = tidy(engine, over)
    for one in ended:  # only now: a failure must not keep the others from being stopped
        one.result()
    return {session.name for session in found if session.container == next_name(session.name)}


def remove(engine: Engine, name: str) -> None:
    """Remove a stopped session: its container and its volumes, never a project.

    Raises SessionRunning, SessionNotFound.
    """
    settle(engine, check_name(name))
    session = find.find_session(engine, name)
    if session is None:
        find.check_removable(engine, name)
    elif session.running:
        raise SessionRunning(name)
    with uninterrupted():
        if session:
            engine.remove(session.container)
        for volume in (*volume_names(name), importing_name(name)):
            engine.remove_volume(volume)
        tidy(engine, session.placeholders if session else ())


def _bring_up(engine: Engine, container: str, name: str, seed: "Seed", *, screen: bool) -> tuple[str, ...]:
    """Give a container that just started its seed and its guard, which keeps read-only paths read-only.

    Not as root: there the agent, uid 0 as well, could change what the guard runs with rights that the agent
    has not.
    """
    from agent_session.host.threads import beside  # 2 ms that ls need not pay

    with beside(1) as pool:
        guard = (
            None
            if engine.rootful
            else pool.submit(engine.exec_as_root, container, [inside.SESSION_GUARD, *guarded()])
        )
        notes = send_seed(engine, name, seed, screen=screen, container=container)
        if guard:
            guard.result()
        return notes


def _stop(engine: Engine, session: Session) -> None:
    try:
        engine.stop(session.container)
    except NotFoundError as error:
        raise SessionNotFound(session.name) from error


def _lines(text: str) -> list[str]:
    """The lines of a program's output, fit to be shown."""
    return [sanitize.shown(line[:300]) for line in text.splitlines() if line.strip()]


def _told(report: Report, lines: Sequence[str], session: Session) -> Session:
    for line in lines:
        report(line)
    return session
