"""What is to be sent to Linear: rows under ids of ours, in the order of their session."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.linear.tables import LinearSession, Outgoing

LONGEST = 60000
"""Characters of one text."""
Content = dict[str, Any]


def thought(text: str) -> Content:
    """Return a thought's content."""
    return {"type": "thought", "body": text[:LONGEST]}


def action(name: str, parameter: str) -> Content:
    """Return the content of something that the agent does."""
    return {"type": "action", "action": name[:200], "parameter": parameter[:1000]}


def response(text: str) -> Content:
    """Return the content of an answer, which ends the work."""
    return {"type": "response", "body": text[:LONGEST]}


def error(text: str) -> Content:
    """Return the content of a failure, which ends the work."""
    return {"type": "error", "body": text[:LONGEST]}


def elicitation(text: str) -> Content:
    """Return the content of a question."""
    return {"type": "elicitation", "body": text[:LONGEST]}


async def say(
    db: AsyncSession,
    session: LinearSession,
    content: Content,
    now: datetime,
    *,
    id: uuid.UUID | None = None,
    ephemeral: bool = False,
    options: list[tuple[str, str]] | None = None,
) -> None:
    """Put an activity in line, once for an id; `options` are (value, label) to choose from.

    Where the conversation is in comments, what passes is left out, and the rest is a comment.
    """
    if session.linear_id is None:
        if not ephemeral and content["type"] != "action":
            await _add(db, session, "comment", _comment(session, content, options), now, id=id)
        return
    body: dict[str, Any] = {"agentSessionId": session.linear_id, "content": content}
    if ephemeral:
        body["ephemeral"] = True
        await _drop_passing(db, session)
    if options:
        body["signal"] = "select"
        body["signalMetadata"] = {
            "options": [{"value": value, **({"label": label} if label else {})} for value, label in options]
        }
    await _add(db, session, "activity", body, now, id=id, ephemeral=ephemeral)


async def show(
    db: AsyncSession, session: LinearSession, update: dict[str, Any], now: datetime, *, key: str = ""
) -> None:
    """Put a change of the agent session in line: its plan, its links; once for a key."""
    if session.linear_id is not None:
        id = uuid.uuid5(session.id, key) if key else None
        await _add(db, session, "session", {"id": session.linear_id, "input": update}, now, id=id)


async def change_issue(
    db: AsyncSession, session: LinearSession, update: dict[str, Any], now: datetime
) -> None:
    """Put a change of the issue in line, once for a session."""
    id = uuid.uuid5(session.id, "issue")
    await _add(db, session, "issue", {"id": session.issue, "input": update}, now, id=id)


async def is_ours(db: AsyncSession, comment: str) -> bool:
    """Say whether a comment is one that we have sent: comments get their ids here."""
    try:
        id = uuid.UUID(comment)
    except ValueError:
        return False
    return await db.get(Outgoing, id) is not None


async def _add(
    db: AsyncSession,
    session: LinearSession,
    kind: str,
    body: dict[str, Any],
    now: datetime,
    *,
    id: uuid.UUID | None = None,
    ephemeral: bool = False,
) -> None:
    if id is not None and await db.get(Outgoing, id) is not None:
        return
    last = await db.scalar(select(func.max(Outgoing.number)).where(Outgoing.session_id == session.id))
    session.last_said = now
    db.add(
        Outgoing(
            id=id or uuid.uuid4(), session_id=session.id, number=(last or 0) + 1, kind=kind, body=body,
            ephemeral=ephemeral, created_at=now, not_before=now, attempts=0, status="waiting",
        )
    )  # fmt: skip
    await db.flush()


async def _drop_passing(db: AsyncSession, session: LinearSession) -> None:
    """Drop what would be passing by and is not sent yet; the newest word takes its place."""
    old = delete(Outgoing).where(
        Outgoing.session_id == session.id,
        Outgoing.ephemeral.is_(True),
        Outgoing.status == "waiting",
        Outgoing.attempts == 0,
    )
    await db.execute(old)


def _comment(
    session: LinearSession, content: Content, options: list[tuple[str, str]] | None
) -> dict[str, Any]:
    text = content["body"]
    if options:
        text += "\n\n" + "\n".join(f"- {label or value}: answer `{value}`" for value, label in options)
    if content["type"] == "error":
        text = f"⚠️ {text}"
    body = {"issueId": session.issue, "body": text}
    return body | ({"parentId": session.comment} if session.comment else {})
