"""What went wrong is told; three errors end a session."""

import uuid
from typing import TYPE_CHECKING

from agent_session.errors import AgentSessionError, EngineUnavailable
from agent_session.server.linear import outgoing
from agent_session.server.linear.changing import changing
from agent_session.server.linear.tables import Job, LinearSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

MOST = 3
"""Errors that a session may have."""


async def tell(parts: "Parts", job: Job, error: AgentSessionError) -> None:
    """Tell why something was not done, once for a job."""
    now = parts.linear.now()
    async with changing(parts) as db:
        session = await db.get(LinearSession, job.session_id)
        if session is None:
            return
        session.errors += 1
        session.question = None
        session.last_activity = now
        words = f"That did not work: {error.message}"
        if isinstance(error, EngineUnavailable):
            words = f"I cannot work on this, as my server has no container engine now: {error.message}"
        session.status, session.ended_at = "completed", now
        if session.errors >= MOST:
            session.status = "error"
            words += f"\n\nThat was the error number {session.errors}, and ends this session."
        await outgoing.say(db, session, outgoing.error(words), now, id=uuid.uuid5(job.id, "end"))
