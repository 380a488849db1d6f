"""The answer to a prompt that a server before this one gave to the agent."""

import asyncio
from typing import TYPE_CHECKING

from agent_session.activity import conversation, state
from agent_session.activity.protocol import Ended
from agent_session.server.api import sessions as api_sessions
from agent_session.server.auth.scopes import Caller
from agent_session.server.linear import issue, jobs, progress
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import ServerEnds, Stopped
from agent_session.server.linear.tables import Job, LinearSession
from agent_session.sessions.errors import SessionNotFound
from agent_session.sessions.session import Session

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOOK_SECONDS = 1.0
ENTRIES = 200
BUSY = {"working", "waiting", "starting"}


async def answer_of(parts: "Parts", job: Job, session: LinearSession, caller: Caller) -> Ended | None:
    """Wait for the end of what was asked, and return it; None where the agent never got the prompt."""
    mark = issue.marker(str(job.body["reference"]))
    try:
        there = await api_sessions.running(parts, caller, session.container)
    except SessionNotFound:
        return None
    if await _after(parts, there, mark) is None:
        return None
    while True:
        now = await parts.threads.run(lambda: state.read(parts.engine, [there])[there.name])
        parts.watching.note(there, now)
        if now.value not in BUSY:
            break
        if now.value == "waiting" and now.question is not None:
            await _relay(parts, session, now.question)
        await _pause(parts, job)
    return Ended(text=await _after(parts, there, mark) or "", state=now)


async def _after(parts: "Parts", there: Session, mark: str) -> str | None:
    """Return what the agent has said last to the prompt with a mark; None where it has no such prompt."""
    found = await parts.threads.run(lambda: conversation.history(parts.engine, there, limit=ENTRIES))
    text: str | None = None
    for entry in found:
        if entry.role == "user":
            text = "" if mark in entry.text else (None if text is None else text)
        elif text is not None and entry.text:
            text = entry.text
    return text


async def _relay(parts: "Parts", session: LinearSession, question: state.Question) -> None:
    async with changing(parts) as db:
        kept = await db.get(LinearSession, session.id)
        known = kept.question if kept else None
    if not known or known.get("id") != question.id or known.get("text") != question.text:
        await progress.ask(parts, session.id, question)


async def _pause(parts: "Parts", job: Job) -> None:
    if parts.hub.closing.is_set():
        raise ServerEnds
    await asyncio.sleep(LOOK_SECONDS)
    if await jobs.is_dropped(parts.database, job):
        raise Stopped
