"""Sessions are made, started again, replaced, stopped and removed. Callers hold the session's lock.

`stop` needs no lock and waits for none. Whatever fails or interrupts, nothing half-made is left behind; after
a kill, the next command can finish or undo what is left.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import DOCTOR, EngineRefused, Interrupted, NotFoundError, NotReady
from agent_session.host.signals import uninterrupted
from agent_session.sessions import endpoint, find, review, user_note
from agent_session.sessions.errors import SessionNotFound, SessionRunning
from agent_session.sessions.leftovers import settle, tidy
from agent_session.sessions.names import check_name, container_name, importing_name, next_name, volume_names
from agent_session.sessions.readiness import Report, bring_up, unheard
from agent_session.sessions.session import Session
from agent_session.workspace import placeholders, session_worktrees

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed
    from agent_session.sessions.request import SessionRequest


def create(
    engine: Engine, request: "SessionRequest", seed: "Seed", *, screen: bool, report: Report = unheard
) -> Session:
    """Make a session and wait until it is up (with `screen`: until its agent shows something).

    Whatever fails or interrupts, nothing made here is left behind. Raises NameTaken, EngineRefused, NotReady.
    """
    from agent_session.sessions import plan  # with which `stop` has nothing to do

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
            review.record(request)
            told += endpoint.start(engine, spec)
        told += bring_up(engine, spec.name, request.name, seed, screen=screen)
    except BaseException as error:
        with uninterrupted():
            if made:
                engine.remove(spec.name)
                for volume in new:
                    engine.remove_volume(volume)
                review.forget(request.name)
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
        told = bring_up(engine, container, session.name, seed, screen=screen)
    except BaseException as error:
        with uninterrupted():
            engine.stop(container)
            if session.running and isinstance(error, Interrupted | KeyboardInterrupt):
                _start_again(engine, session, seed)
            tidy(engine)
        raise
    return _told(report, told, find.get(engine, session.name))


def recreate(
    engine: Engine,
    session: Session,
    request: "SessionRequest",
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
    from agent_session.sessions import plan  # with which `stop` has nothing to do

    spec, told = endpoint.connected(engine, plan.replacement_spec(request, runs=seed is not None))
    stopped = False
    try:
        with placeholders.made(request.protection.placeholders):
            engine.create(spec)
            if session.running:
                stopped = True
                engine.stop(session.container)
            if seed:
                review.keep(request)
                told += endpoint.start(engine, spec)
        if seed:
            told += bring_up(engine, spec.name, session.name, seed, screen=screen)
    except BaseException:
        with uninterrupted():
            engine.remove(spec.name)
            if stopped and seed:
                _start_again(engine, session, seed)
            tidy(engine, request.protection.placeholders)
        raise
    with uninterrupted():
        engine.remove(session.container)
        engine.rename(spec.name, session.container)
        tidy(engine, session.placeholders)
    return _told(report, told, find.get(engine, session.name))


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
        # Before the volumes: as long as there is one, another rm goes on where this one was killed.
        review.forget(name)
        user_note.forget(name)
        session_worktrees.forget(session.projects if session else (), name)
        for volume in (*volume_names(name), importing_name(name)):
            engine.remove_volume(volume)
        tidy(engine, session.placeholders if session else ())


def _start_again(engine: Engine, session: Session, seed: "Seed") -> None:
    """Have a session that was stopped run as it did."""
    with placeholders.made(session.placeholders):
        engine.start(session.container)
    bring_up(engine, session.container, session.name, seed, screen=False)


def _stop(engine: Engine, session: Session) -> None:
    try:
        engine.stop(session.container)
    except NotFoundError as error:
        raise SessionNotFound(session.name) from error
    except EngineRefused:
        there = engine.container(session.container)
        if there is None or there.running:
            raise  # else somebody else stopped it at the same time, or the answer came too late: it is done


def _told(report: Report, lines: Sequence[str], session: Session) -> Session:
    for line in lines:
        report(line)
    return session
