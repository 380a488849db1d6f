"""Sessions whose agents have rested for long are stopped, where that was chosen."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from agent_session.activity import state as states
from agent_session.activity.state import State
from agent_session.errors import AgentSessionError
from agent_session.server import sessions
from agent_session.server.agent_logins import delivery
from agent_session.server.audit import Call
from agent_session.server.parts import Parts
from agent_session.sessions.session import Session

LOOK_SECONDS = 30.0
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LOG = structlog.get_logger("agent-session")


def lasts(text: str) -> timedelta:
    """Read for how long an agent may rest: 30m, 2h, as the settings have checked it."""
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


async def stop_idle(parts: Parts, longest: timedelta, *, each: float = LOOK_SECONDS) -> None:
    """Stop those that rest longer, now and from now on.

    What counts is the agent's state: one that works, waits for an answer or has prompts in line goes on.
    """
    while not parts.hub.closing.is_set():
        for session, state in parts.watching.sessions(lambda _owner, _name: True):
            if _rests(parts, session, state, longest):
                await _stop(parts, session, longest)
        await asyncio.sleep(each)


def _rests(parts: Parts, session: Session, state: State, longest: timedelta) -> bool:
    return (
        session.running
        and state.value == "idle"
        and state.since is not None
        and datetime.now(UTC) - state.since > longest
        and not parts.turns.is_busy(session.name)
    )


async def _stop(parts: Parts, session: Session, longest: timedelta) -> None:
    def stop() -> Session | None:
        now = states.read(parts.engine, [session])[session.name]
        if not _rests(parts, session, now, longest):  # it was given something to do meanwhile
            return None
        return sessions.stop(parts.engine, parts.installation, session)

    await delivery.read_back(parts, session)
    try:
        stopped = await parts.threads.run(stop)
    except AgentSessionError as error:
        LOG.warning("an idle session was not stopped", session=session.name, reason=error.message)
        return
    if stopped:
        now = await parts.threads.run(lambda: states.read(parts.engine, [stopped])[stopped.name])
        parts.watching.note(stopped, now)
        call = Call(user=None, way="idle", action="stop_idle", session=session.name, status=200, address="")
        await parts.audit.record(call)
