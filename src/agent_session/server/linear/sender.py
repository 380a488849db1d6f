"""Sends what is in line to Linear, each session's in its order, until it is there or was refused."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import func, select

from agent_session.server.linear import client, operations, withdrawn, workspaces
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import LinearFailed, LinearRefused, NotSetUp, Revoked
from agent_session.server.linear.tables import LinearSession, Outgoing

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")
AT_ONCE = 16
LONGEST_SECONDS = 60.0
GONE = ("not found", "could not find", "archived", "deleted")
"""What Linear says of a session that is not there any more."""


async def send(parts: "Parts") -> None:
    """Send what is due, now and from now on."""
    while not parts.hub.closing.is_set():
        if not await send_due(parts):
            await parts.linear.to_send.wait()


async def send_due(parts: "Parts") -> bool:
    """Send the next row of each session, where it is due; returns whether there was one."""
    async with changing(parts) as db:
        first = (
            select(func.min(Outgoing.number).label("number"), Outgoing.session_id)
            .where(Outgoing.status == "waiting")
            .group_by(Outgoing.session_id)
            .subquery()
        )
        query = (
            select(Outgoing, LinearSession)
            .join(first, (Outgoing.session_id == first.c.session_id) & (Outgoing.number == first.c.number))
            .join(LinearSession, LinearSession.id == Outgoing.session_id)
            .where(Outgoing.not_before <= parts.linear.now())
            .order_by(Outgoing.created_at)
            .limit(AT_ONCE)
        )
        due = (await db.execute(query)).all()
    await asyncio.gather(*(_send(parts, row, session) for row, session in due))
    return bool(due)


async def _send(parts: "Parts", row: Outgoing, session: LinearSession) -> None:
    variables: dict[str, Any] = dict(row.body) if row.kind in {"session", "issue"} else {"input": row.body}
    if row.kind in {"activity", "comment"}:
        variables = {"input": {**row.body, "id": str(row.id)}}
    try:
        await client.ask(parts, session.organization, operations.OF_KIND[row.kind], variables)
    except Revoked:
        LOG.warning("a workspace of Linear's has taken its permission back", workspace=session.organization)
        async with changing(parts) as db:
            await workspaces.revoke(db, session.organization)
            await withdrawn.workspace(db, parts, session.organization)
        parts.linear.to_do.ring()
    except (LinearRefused, NotSetUp) as error:
        await _refused(parts, row, session, error.message)
    except LinearFailed as error:
        await _later(parts, row, error)
    else:
        await _settle(parts, row, "sent")


async def _refused(parts: "Parts", row: Outgoing, session: LinearSession, reason: str) -> None:
    """Take it that Linear does not want this; where the session is gone there, ours ends."""
    LOG.warning("Linear refuses what was sent", kind=row.kind, reason=reason)
    if row.kind in {"activity", "comment"} and "already exists" in reason.lower():
        await _settle(parts, row, "sent")  # it came the first time, and its answer did not
        return
    await _settle(parts, row, "refused")
    if row.kind in {"activity", "session", "comment"} and any(word in reason.lower() for word in GONE):
        async with changing(parts) as db:
            await withdrawn.session(db, parts, session)
        parts.linear.to_do.ring()


async def _later(parts: "Parts", row: Outgoing, error: LinearFailed) -> None:
    async with changing(parts) as db:
        kept = await db.get(Outgoing, row.id)
        if kept is not None:
            kept.attempts += 1
            wait = max(error.seconds, min(LONGEST_SECONDS, 2.0 ** min(kept.attempts, 10)))
            kept.not_before = parts.linear.now() + timedelta(seconds=wait)
            LOG.info("later, to Linear", kind=row.kind, reason=error.message, seconds=wait)


async def _settle(parts: "Parts", row: Outgoing, status: str) -> None:
    async with changing(parts) as db:
        kept = await db.get(Outgoing, row.id)
        if kept is not None:
            kept.status = status
