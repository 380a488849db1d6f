"""What has to be known before a session starts: the issue, its branch, the repository."""

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import UsageError
from agent_session.server.linear import issue, outgoing, repository, workspaces
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import LinearFailed
from agent_session.server.linear.issue import Issue
from agent_session.server.linear.tables import Job, LinearSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

NOT_BEGUN = {"triage", "backlog", "unstarted"}


async def prepare(parts: "Parts", job: Job, session: LinearSession) -> bool:
    """Choose the repository, or ask for it; returns whether the work can begin. `session` is what is then."""
    if session.repository is not None:
        return True
    if session.question and session.question.get("kind") == "repository":
        return await _take_answer(parts, job, session)
    found = await _look(parts, session)
    if found is None:
        chosen: str | None = ""
    else:
        chosen = await repository.choose(parts, session, found)
    async with changing(parts) as db:
        kept = await db.get(LinearSession, session.id)
        if kept is None:
            return False
        if found is not None:
            await _note(parts, db, kept, found)
        kept.repository = session.repository = chosen
        if chosen is None:
            kept.question = {"kind": "repository", **job.body}
            await _ask(parts, db, kept, uuid.uuid5(job.id, "end"))
    parts.linear.to_send.ring()
    return chosen is not None


async def _look(parts: "Parts", session: LinearSession) -> Issue | None:
    """Ask Linear about the issue; None where there is none (a document, a project)."""
    if not session.issue:
        return None
    async with changing(parts) as db:
        try:
            me = await workspaces.app_user(db, parts, session.organization)
        except LinearFailed:
            me = ""
    found = await issue.fetch(parts, session, me)
    most = parts.settings.linear.linear_depth
    if found.depth > most:
        raise UsageError(f"agents made this issue, {found.depth} deep; {most} is the most (LINEAR_DEPTH)")
    return found


async def _note(parts: "Parts", db: AsyncSession, session: LinearSession, found: Issue) -> None:
    """Keep what is used of an issue; move it to its first started state, and have it be ours."""
    session.identifier = session.identifier or found.identifier
    session.title = session.title or found.title
    session.team, session.team_key = session.team or found.team, session.team_key or found.team_key
    session.branch = found.branch
    guidance = (
        session.context[session.context.find("<guidance>") :] if "<guidance>" in session.context else ""
    )
    session.context = "\n\n".join(part for part in (found.text, guidance) if part)
    if session.linear_id is None:
        return
    update: dict[str, Any] = {}
    if found.state in NOT_BEGUN and found.started:
        update["stateId"] = found.started
    if not found.delegate:
        with contextlib.suppress(LinearFailed):
            update["delegateId"] = await workspaces.app_user(db, parts, session.organization)
    if update:
        await outgoing.change_issue(db, session, update, parts.linear.now())


async def _take_answer(parts: "Parts", job: Job, session: LinearSession) -> bool:
    """Take the repository that a person has chosen, and go on with what was asked before."""
    chosen = repository.answered(parts.settings.linear, str(job.body["text"]))
    async with changing(parts) as db:
        kept, waiting = await db.get(LinearSession, session.id), await db.get(Job, job.id)
        if kept is None or waiting is None:
            return False
        if chosen is None:
            await _ask(parts, db, kept, uuid.uuid5(job.id, "end"), again=True)
            return False
        asked = dict(kept.question)
        asked.pop("kind", None)
        waiting.body = job.body = asked
        kept.repository = session.repository = chosen
        kept.question = None
    return True


async def _ask(
    parts: "Parts",
    db: AsyncSession,
    session: LinearSession,
    id: uuid.UUID,
    *,
    again: bool = False,
) -> None:
    known = repository.candidates(parts.settings.linear)
    words = "Which repository shall I work on?"
    if again:
        words = f"I may not clone that one. {words}"
    address = parts.settings.linear.linear_repository_url
    options = [(address.replace("{repository}", name).removesuffix(".git"), name) for name in known]
    if not address.startswith("https://"):
        options = [(name, "") for name in known]
    options.append((repository.NONE, "No repository"))
    await outgoing.say(db, session, outgoing.elicitation(words), parts.linear.now(), id=id, options=options)
