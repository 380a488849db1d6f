"""Halts a session at once, and says so."""

import uuid
from typing import TYPE_CHECKING

import structlog

from agent_session.activity import conversation
from agent_session.errors import AgentSessionError
from agent_session.server.auth import ownership
from agent_session.server.database.models import User
from agent_session.server.linear import access, outgoing
from agent_session.server.linear.changing import changing
from agent_session.server.linear.tables import Job, LinearSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")


async def do(parts: "Parts", job: Job) -> None:
    """End the agent's turn, and what waits for one."""
    async with changing(parts) as db:
        session = await db.get(LinearSession, job.session_id)
        user = await db.get(User, session.user_id) if session else None
    if session is None or user is None:
        return
    caller = access.caller(user)

    def halt() -> None:
        there = ownership.get(parts.engine, caller, session.container)
        if there.running:
            conversation.abort(parts.engine, there)

    try:
        await parts.threads.run(halt)
    except AgentSessionError as error:
        LOG.info("there was nothing to stop", session=session.container, reason=error.message)
    now = parts.linear.now()
    async with changing(parts) as db:
        kept = await db.get(LinearSession, job.session_id)
        if kept is None:
            return
        if not job.body.get("silent"):
            words = outgoing.response("Stopped, as you asked. Write again, and I go on from here.")
            await outgoing.say(db, kept, words, now, id=uuid.uuid5(job.id, "end"))
        if kept.status in {"creating", "active"}:
            kept.status, kept.ended_at = "completed", now
