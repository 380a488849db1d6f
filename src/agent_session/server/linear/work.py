"""Works on what was asked: repository, session, prompt, progress, answer. Each step is written down."""

import re
import uuid
from typing import TYPE_CHECKING

from agent_session.activity.protocol import Ended
from agent_session.server import agents
from agent_session.server import sessions as server_sessions
from agent_session.server.api import chat
from agent_session.server.api import sessions as api_sessions
from agent_session.server.api.session_shapes import Chat
from agent_session.server.auth import ownership
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import User
from agent_session.server.linear import (
    access,
    issue,
    jobs,
    outgoing,
    preparing,
    progress,
    recover,
    repository,
)
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import Stopped
from agent_session.server.linear.settings import pairs
from agent_session.server.linear.tables import Job, LinearSession
from agent_session.sessions.errors import SessionNotFound

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

REQUESTED = re.compile(r"https://[\w.-]+/[\w./-]+?/(?:pull|-/merge_requests|pulls)/\d+")
"""The address of a request to merge."""


async def do(parts: "Parts", job: Job) -> None:
    """Do what was asked, and tell the answer. What a server before this one did is not done again."""
    session, user = await _read(parts, job)
    if session is None or user is None or await _is_over(parts, job, session):
        return
    caller = access.caller(user)
    ended = None
    if job.step == "given":
        ended = await recover.answer_of(parts, job, session, caller)
    elif not await preparing.prepare(parts, job, session):
        return
    if ended is None:
        ended = await _turn(parts, job, session, caller)
    await _check_stopped(parts, job)
    await _finish(parts, job, ended)


async def _read(parts: "Parts", job: Job) -> tuple[LinearSession | None, User | None]:
    async with changing(parts) as db:
        session = await db.get(LinearSession, job.session_id)
        return session, (await db.get(User, session.user_id) if session else None)


async def _is_over(parts: "Parts", job: Job, session: LinearSession) -> bool:
    """Say why a session takes no more messages, where it does not."""
    most = parts.settings.linear.session_max_messages
    if session.status == "error":
        words = "This session has ended after three errors. Mention me again for another one."
    elif session.messages > most:
        words = f"This session has had its {most} messages. Mention me again for another one."
    else:
        return False
    async with changing(parts) as db:
        kept = await db.get(LinearSession, session.id)
        if kept is not None:
            if kept.status != "error":
                kept.status, kept.ended_at = "completed", parts.linear.now()
            id = uuid.uuid5(job.id, "end")
            await outgoing.say(db, kept, outgoing.error(words), parts.linear.now(), id=id)
    return True


async def _turn(parts: "Parts", job: Job, session: LinearSession, caller: Caller) -> Ended:
    """Give the agent the prompt and follow what it does."""
    made = await _ensure_session(parts, session, caller)
    await _check_stopped(parts, job)
    text = await _give(parts, job, first=made)
    turn = await chat.begin_turn(parts, caller, session.container, Chat(prompt=text))
    return await progress.follow(parts, session.id, turn)


async def _ensure_session(parts: "Parts", session: LinearSession, caller: Caller) -> bool:
    """Have the issue's session be there; returns whether it was made now."""
    try:
        await parts.threads.run(lambda: ownership.get(parts.engine, caller, session.container))
        return False
    except SessionNotFound:
        pass
    choices = parts.settings.linear
    wanted = pairs(choices.linear_agents).get(session.team_key.lower()) or choices.linear_agent or None
    agent = await agents.chosen(parts.database, parts.settings, caller, wanted)
    projects = (repository.address(choices, session.repository),) if session.repository else ()
    title = " ".join(part for part in (session.identifier, session.title) if part)
    asked = server_sessions.Wanted(
        title=title[:200] or "Linear", name=session.container, agent=agent, projects=projects,
        mount=False, auto_approve=False, reuse=True,
    )  # fmt: skip
    with parts.metrics.start_seconds.time():
        await api_sessions.create(parts, caller, asked, lambda _line: None)
    parts.metrics.starts.labels("done").inc()
    return True


async def _give(parts: "Parts", job: Job, *, first: bool) -> str:
    """Write down that the agent gets the prompt now, and return it."""
    async with changing(parts) as db:
        kept, session = await db.get(Job, job.id), await db.get(LinearSession, job.session_id)
        if kept is None or session is None:
            raise Stopped
        words = str(kept.body["text"]), str(kept.body["name"]), str(kept.body["reference"])
        is_first = first or session.status == "creating"
        text = issue.prompt(session, *words) if is_first else issue.follow_up(*words)
        kept.step = "given"
        session.status, session.ended_at = "active", None
        session.last_activity = parts.linear.now()
        return text


async def _check_stopped(parts: "Parts", job: Job) -> None:
    if await jobs.is_dropped(parts.database, job):
        raise Stopped


async def _finish(parts: "Parts", job: Job, ended: Ended) -> None:
    """Tell the answer, once for a job, and the requests to merge that it names."""
    now = parts.linear.now()
    async with changing(parts) as db:
        session = await db.get(LinearSession, job.session_id)
        if session is None:
            return
        session.messages += 1
        session.question = None
        session.status, session.ended_at, session.last_activity = "completed", now, now
        for url in dict.fromkeys(REQUESTED.findall(ended.text)):
            link = {"addedExternalUrls": [{"label": "Pull request", "url": url}]}
            await outgoing.show(db, session, link, now, key=url)
        words = outgoing.response(ended.text.strip() or "Done.")
        await outgoing.say(db, session, words, now, id=uuid.uuid5(job.id, "end"))
        if not parts.settings.linear.enable_session_persistence:
            session.context = ""
