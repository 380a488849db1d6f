"""The queue of work in SQL: what a server that ends leaves is taken up by the next one."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.database.connection import Database
from agent_session.server.linear.tables import Job, LinearSession


async def add(
    db: AsyncSession, session: LinearSession, kind: str, body: dict[str, Any], now: datetime
) -> Job:
    """Put something in line. Answers and stops wait for no work; work on an issue is done in its order."""
    subject = session.issue or session.linear_id
    lane = (
        f"work:{session.organization[:20]}:{subject}:{session.user_id.hex[:8]}"
        if kind == "work"
        else f"{kind}:{session.id}"
    )
    job = Job(
        id=uuid.uuid4(), session_id=session.id, kind=kind, lane=lane[:100], body=body,
        created_at=now, not_before=now, attempts=0, step="new",
    )  # fmt: skip
    db.add(job)
    await db.flush()
    return job


async def in_line(db: AsyncSession) -> Sequence[Job]:
    """Return all that is to be done, the oldest first."""
    return (await db.scalars(select(Job).order_by(Job.created_at, Job.id))).all()


async def is_dropped(database: Database, job: Job) -> bool:
    """Say whether something that is being done was taken out of the line: a person has stopped it."""
    async with database.transaction() as db:
        return await db.get(Job, job.id) is None


async def drop(db: AsyncSession, session: LinearSession) -> None:
    """Take a session's work out of the line; what goes on just now sees that it was stopped."""
    await db.execute(delete(Job).where(Job.session_id == session.id, Job.kind != "stop"))
