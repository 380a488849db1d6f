"""What is due with time: signs of life, timeouts, and the end of texts that are kept too long."""

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import AgentSessionError
from agent_session.server import sessions as server_sessions
from agent_session.server.auth import ownership
from agent_session.server.database.models import User
from agent_session.server.linear import access, jobs, outgoing
from agent_session.server.linear.changing import changing
from agent_session.server.linear.tables import Job, LinearSession, Outgoing

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")
QUIET = timedelta(minutes=10)
"""After 30 minutes without a word Linear shows a session as stale."""
DELETED = ""


async def once(parts: "Parts", *, cleaning: bool) -> None:
    """Do what is due now, with `cleaning` also what ends sessions and texts."""
    expired = []
    async with changing(parts) as db:
        await _signs_of_life(db, parts)
        if cleaning:
            expired = await _expire(db, parts) if parts.settings.linear.enable_session_management else []
            await _forget(db, parts)
    parts.linear.to_send.ring()
    for session in expired:
        await _stop(parts, session)


async def _signs_of_life(db: AsyncSession, parts: "Parts") -> None:
    now = parts.linear.now()
    query = select(LinearSession).where(
        LinearSession.status.in_(["creating", "active"]),
        LinearSession.last_said < now - QUIET,
        LinearSession.linear_id.is_not(None),
    )
    for session in await db.scalars(query):
        if not session.question:  # a question waits for a person, and a thought would hide it
            await outgoing.say(db, session, outgoing.thought("I am still at it."), now, ephemeral=True)


async def _expire(db: AsyncSession, parts: "Parts") -> list[LinearSession]:
    """End the sessions in which nothing has happened for long; those in line have not begun."""
    now = parts.linear.now()
    minutes = parts.settings.linear.session_timeout_minutes
    waiting = select(Job.session_id).where(Job.step.in_(["new", "queued"]), Job.kind == "work")
    query = select(LinearSession).where(
        LinearSession.status.in_(["creating", "active"]),
        LinearSession.last_activity < now - timedelta(minutes=minutes),
        LinearSession.id.not_in(waiting),
    )
    found = list(await db.scalars(query))
    for session in found:
        session.status, session.ended_at = "timeout", now
        session.question = None
        await jobs.drop(db, session)
        words = f"Nothing has happened for {minutes} minutes, so this session rests. Write, and I go on."
        await outgoing.say(db, session, outgoing.error(words), now)
    return found


async def _forget(db: AsyncSession, parts: "Parts") -> None:
    """Delete what Linear said in sessions that have ended long ago."""
    before = parts.linear.now() - timedelta(days=parts.settings.linear.linear_retention_days)
    old = select(LinearSession.id).where(
        LinearSession.ended_at < before, LinearSession.status.not_in(["creating", "active"])
    )
    await db.execute(delete(Outgoing).where(Outgoing.session_id.in_(old), Outgoing.status != "waiting"))
    await db.execute(
        update(LinearSession)
        .where(LinearSession.id.in_(old))
        .values(context=DELETED, title=DELETED, creator_name=DELETED)
    )


async def _stop(parts: "Parts", session: LinearSession) -> None:
    """Stop the container of a session that has timed out; all that it holds stays."""
    async with changing(parts) as db:
        user = await db.get(User, session.user_id)
    if user is None:
        return
    caller = access.caller(user)

    def stop() -> None:
        there = ownership.get(parts.engine, caller, session.container)
        if there.running:
            server_sessions.stop(parts.engine, parts.installation, there)

    try:
        await parts.threads.run(stop)
    except AgentSessionError as error:
        LOG.info("a session was not stopped", session=session.container, reason=error.message)
