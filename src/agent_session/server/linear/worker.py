"""Does what is in line: each lane in its order, and so much work at once as was chosen."""

import asyncio
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from agent_session.errors import AgentSessionError, ConflictError
from agent_session.server.linear import answer, failure, jobs, outgoing, stop, work
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import LinearFailed, ServerEnds, Stopped
from agent_session.server.linear.tables import Job, LinearSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")
AGAIN_SECONDS = 5.0
LONGEST_SECONDS = 120.0
MOST_ATTEMPTS = 20
"""Of what the agent or a limit stands in the way of; for Linear we wait as long as it takes."""
KINDS = {"work": work.do, "answer": answer.do, "stop": stop.do}


async def do_all(parts: "Parts") -> None:
    """Do what is in line, now and from now on."""
    running: dict[uuid.UUID, tuple[Job, asyncio.Task[None]]] = {}
    while not parts.hub.closing.is_set():
        for id in [id for id, (_, task) in running.items() if task.done()]:
            del running[id]
        async with changing(parts) as db:
            found = await jobs.in_line(db)
        for job in await _startable(parts, list(found), [job for job, _ in running.values()]):
            task = asyncio.create_task(_do(parts, job))
            task.add_done_callback(lambda _: parts.linear.to_do.ring())
            running[job.id] = job, task
        await parts.linear.to_do.wait()
    for _, task in running.values():
        task.cancel()


async def _startable(parts: "Parts", found: list[Job], running: list[Job]) -> list[Job]:
    taken = {job.lane for job in running}
    most = parts.settings.linear.max_concurrent_sessions
    free = most - sum(job.kind == "work" for job in running)
    chosen = []
    for job in found:
        if job.lane in taken:
            continue
        taken.add(job.lane)  # those behind it wait for it
        if job.not_before > parts.linear.now():
            continue
        if job.kind == "work" and free <= 0:
            await _say_queued(parts, job, most)
            continue
        free -= job.kind == "work"
        chosen.append(job)
    return chosen


async def _say_queued(parts: "Parts", job: Job, most: int) -> None:
    if job.step != "new":
        return
    async with changing(parts) as db:
        kept, session = await db.get(Job, job.id), await db.get(LinearSession, job.session_id)
        if kept is None or session is None:
            return
        kept.step = "queued"
        words = f"I work on {most} sessions already, as many as I may; yours is in line."
        id = uuid.uuid5(job.id, "queued")
        await outgoing.say(db, session, outgoing.thought(words), parts.linear.now(), id=id)
    parts.linear.to_send.ring()


async def _do(parts: "Parts", job: Job) -> None:
    """Do one thing, and take it out of the line; what only failed for now stays in it."""
    try:
        await KINDS[job.kind](parts, job)
    except (asyncio.CancelledError, ServerEnds):
        return
    except Stopped:
        pass
    except AgentSessionError as error:
        if await jobs.is_dropped(parts.database, job):
            return
        if _may_succeed(job, error):
            await _later(parts, job, error)
            return
        await failure.tell(parts, job, error)
    except Exception:
        LOG.exception("bug", job=job.kind)
        await failure.tell(parts, job, AgentSessionError("this is a bug in agent-session; its log says more"))
    async with changing(parts) as db:
        kept = await db.get(Job, job.id)
        if kept is not None:
            await db.delete(kept)
    parts.linear.to_send.ring()


def _may_succeed(job: Job, error: AgentSessionError) -> bool:
    if isinstance(error, LinearFailed):
        return True
    return isinstance(error, ConflictError) and job.attempts < MOST_ATTEMPTS


async def _later(parts: "Parts", job: Job, error: AgentSessionError) -> None:
    """Try again later: Linear does not answer, or the agent has something else to do."""
    async with changing(parts) as db:
        kept, session = await db.get(Job, job.id), await db.get(LinearSession, job.session_id)
        if kept is None or session is None:
            return
        kept.attempts += 1
        seconds = getattr(error, "seconds", 0.0) or min(LONGEST_SECONDS, AGAIN_SECONDS * kept.attempts)
        kept.not_before = parts.linear.now() + timedelta(seconds=seconds)
        if isinstance(error, ConflictError):
            words = outgoing.thought(f"I try again in a moment: {error.message}.")
            id = uuid.uuid5(job.id, "later")
            await outgoing.say(db, session, words, parts.linear.now(), id=id)
    LOG.info("later", job=job.kind, reason=error.message)
    parts.linear.to_send.ring()
