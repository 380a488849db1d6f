"""What is taken from us: an issue, a team, a workspace. The sessions of it end."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.linear import jobs
from agent_session.server.linear.tables import LinearSession, Outgoing

if TYPE_CHECKING:
    from agent_session.server.parts import Parts


async def issue(db: AsyncSession, parts: "Parts", organization: str, issue: str) -> bool:
    """End the sessions of an issue that was removed, or taken from us."""
    return await _end(db, parts, organization, LinearSession.issue == issue)


async def teams(db: AsyncSession, parts: "Parts", organization: str, teams: Any) -> bool:
    """End the sessions of teams that we cannot reach any more."""
    names = [name for name in teams if isinstance(name, str)] if isinstance(teams, list) else []
    return await _end(db, parts, organization, LinearSession.team.in_(names))


async def workspace(db: AsyncSession, parts: "Parts", organization: str) -> bool:
    """End all sessions of a workspace."""
    return await _end(db, parts, organization, LinearSession.organization == organization)


async def session(db: AsyncSession, parts: "Parts", row: LinearSession) -> bool:
    """End a session that was deleted or archived."""
    return await _end(db, parts, row.organization, LinearSession.id == row.id)


async def _end(db: AsyncSession, parts: "Parts", organization: str, which: ColumnElement[bool]) -> bool:
    """Halt the work, say nothing any more: nobody would hear it."""
    now = parts.linear.now()
    query = select(LinearSession).where(LinearSession.organization == organization, which)
    found = (await db.scalars(query)).all()
    for row in found:
        unsent = update(Outgoing).where(Outgoing.session_id == row.id, Outgoing.status == "waiting")
        await db.execute(unsent.values(status="refused"))
        if row.status not in {"creating", "active"}:
            continue
        row.status, row.ended_at, row.question = "completed", now, None
        await jobs.drop(db, row)
        await jobs.add(db, row, "stop", {"silent": True}, now)
    return bool(found)
