"""What the agent does in a turn is told to Linear as it comes, not more often than people read."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent_session.activity.protocol import Asked, Ended, Event, Said, Used
from agent_session.activity.state import Question
from agent_session.server.linear import answer, outgoing
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import ServerEnds
from agent_session.server.linear.tables import LinearSession
from agent_session.server.turns import Turn

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

BETWEEN = timedelta(seconds=2)
PLANS = {"todowrite", "todo_write", "update_plan"}
STATUSES = {
    "pending": "pending", "in_progress": "inProgress", "inprogress": "inProgress",
    "completed": "completed", "done": "completed", "cancelled": "canceled", "canceled": "canceled",
}  # fmt: skip
TELLING = ("command", "filePath", "file_path", "path", "pattern", "url", "query", "description")
"""What of a tool's input says best what it does."""


async def follow(parts: "Parts", id: uuid.UUID, turn: Turn) -> Ended:
    """Tell what happens in a turn until it is over. Raises what the turn failed with, ServerEnds."""
    queue = turn.follow()
    told: datetime | None = None
    words: list[str] = []
    newest: outgoing.Content | None = None
    async for event in _events(parts, queue):
        now = parts.linear.now()
        if isinstance(event, Said):
            words.append(event.text)
        elif isinstance(event, Asked):
            await ask(parts, id, event.question)
        elif isinstance(event, Used) and parts.settings.linear.enable_session_streaming:
            if plan := planned(event):
                await _show(parts, id, {"plan": plan})
            if text := "".join(words).strip():
                await _say(parts, id, outgoing.thought(text), ephemeral=False)
            words.clear()
            newest = outgoing.action(event.name, parameter(event))
        if newest and (told is None or now - told >= BETWEEN):
            await _say(parts, id, newest, ephemeral=True)
            told, newest = now, None
    return await turn.over


async def _events(parts: "Parts", queue: "asyncio.Queue[Event | None]") -> AsyncIterator[Event | None]:
    """Give what happens, and None from time to time where nothing does."""
    closing = asyncio.ensure_future(parts.hub.closing.wait())
    happening = asyncio.ensure_future(queue.get())
    try:
        while True:
            await asyncio.wait(
                {happening, closing},
                timeout=BETWEEN.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if closing.done():
                raise ServerEnds
            if not happening.done():
                yield None
                continue
            event = happening.result()
            if event is None:
                return
            happening = asyncio.ensure_future(queue.get())
            yield event
    finally:
        closing.cancel()
        happening.cancel()


def planned(used: Used) -> list[dict[str, str]]:
    """Return the agent's list of things to do as Linear's plan; empty where a tool is no such list."""
    todos = used.input.get("todos") or used.input.get("plan") if isinstance(used.input, dict) else None
    if used.name.lower() not in PLANS or not isinstance(todos, list):
        return []
    return [
        {
            "content": str(todo.get("content") or todo.get("step") or "")[:500],
            "status": STATUSES.get(str(todo.get("status")).lower(), "pending"),
        }
        for todo in todos[:100]
        if isinstance(todo, dict)
    ]


def parameter(used: Used) -> str:
    """Return what says best what a tool does."""
    if isinstance(used.input, str):
        return used.input
    if not isinstance(used.input, dict):
        return ""
    for key in TELLING:
        if isinstance(found := used.input.get(key), str) and found:
            return found
    return json.dumps(used.input, ensure_ascii=False)[:200] if used.input else ""


async def _say(parts: "Parts", id: uuid.UUID, content: outgoing.Content, *, ephemeral: bool) -> None:
    async with changing(parts) as db:
        session = await db.get(LinearSession, id)
        if session is not None and session.status == "active":
            session.last_activity = parts.linear.now()
            await outgoing.say(db, session, content, parts.linear.now(), ephemeral=ephemeral)
    parts.linear.to_send.ring()


async def _show(parts: "Parts", id: uuid.UUID, update: dict[str, Any]) -> None:
    async with changing(parts) as db:
        session = await db.get(LinearSession, id)
        if session is not None:
            await outgoing.show(db, session, update, parts.linear.now())
    parts.linear.to_send.ring()


async def ask(parts: "Parts", id: uuid.UUID, question: Question) -> None:
    """Ask in Linear what the agent asks."""
    async with changing(parts) as db:
        session = await db.get(LinearSession, id)
        if session is not None and session.status == "active":
            session.last_activity = parts.linear.now()
            await answer.ask(db, parts, session, question)
    parts.linear.to_send.ring()
