"""What a webhook changes: all of it in one transaction, once for each delivery and each thing told."""

import hashlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server import sessions as server_sessions
from agent_session.server.agents import Chosen
from agent_session.server.auth import users
from agent_session.server.database.models import User
from agent_session.server.linear import access, jobs, outgoing, payload, triggers, withdrawn, workspaces
from agent_session.server.linear.changing import changing
from agent_session.server.linear.payload import Asked
from agent_session.server.linear.tables import LinearSession, Received
from agent_session.server.sessions import Wanted

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")
NOBODY = "Nobody on my server is you here; its administrator names people in LINEAR_USERS."


async def receive(parts: "Parts", delivery: str, body: dict[str, Any], raw: bytes) -> bool:
    """Take a webhook. Returns whether something is done for it; again is never."""
    name = delivery or hashlib.sha256(raw).hexdigest()
    try:
        async with changing(parts, hurried=True) as db:
            await _once(db, parts, f"delivery:{name}", *_things(body))
            done = await _take(db, parts, body)
    except IntegrityError:
        LOG.info("Linear told this before", delivery=name)
        return False
    if parts.settings.linear.debug_linear_webhooks:
        LOG.info("webhook", type=body.get("type"), action=body.get("action"), done=done)
    parts.linear.to_send.ring()
    parts.linear.to_do.ring()
    return done


def _things(body: dict[str, Any]) -> list[str]:
    """Return the names of the things that a webhook tells, each of which is told once."""
    kind, action = payload.text(body, "type"), payload.text(body, "action")
    if kind == "AgentSessionEvent" and action == "created":
        return [f"session:{payload.text(body, 'agentSession', 'id')}"]
    if kind == "AgentSessionEvent":
        return [f"activity:{payload.text(body, 'agentActivity', 'id')}"]
    if kind == "Comment" and action == "create":
        return [f"comment:{payload.text(body, 'data', 'id')}"]
    return []


async def _once(db: AsyncSession, parts: "Parts", *names: str) -> None:
    """Write down what was told. IntegrityError where one of it was told before."""
    for name in sorted(set(names)):
        db.add(Received(name=name[:160], received_at=parts.linear.now()))
    await db.flush()


async def _take(db: AsyncSession, parts: "Parts", body: dict[str, Any]) -> bool:
    choices = parts.settings.linear
    organization = payload.text(body, "organizationId")
    match payload.text(body, "type"), payload.text(body, "action"):
        case "AgentSessionEvent", "created" | "prompted":
            return await _agent_session(db, parts, payload.of_agent_session(body))
        case "Comment", "create" if choices.linear_comments:
            me = await workspaces.app_user(db, parts, organization)
            return await _comment(db, parts, payload.of_comment(body, me))
        case "Issue", "create" | "update" if choices.linear_comments:
            me = await workspaces.app_user(db, parts, organization)
            return await _issue(db, parts, payload.of_issue(body, me), given=payload.is_given(body, me))
        case "Issue", "remove":
            return await withdrawn.issue(db, parts, organization, payload.text(body, "data", "id"))
        case "AppUserNotification", "issueUnassignedFromYou":
            issue = payload.text(body, "notification", "issueId")
            issue = issue or payload.text(body, "notification", "issue", "id")
            return await withdrawn.issue(db, parts, organization, issue)
        case "PermissionChange", "teamAccessChanged":
            return await withdrawn.teams(db, parts, organization, body.get("removedTeamIds"))
        case "OAuthApp", "revoked":
            await workspaces.revoke(db, organization)
            return await withdrawn.workspace(db, parts, organization)
        case _:
            return False


async def _agent_session(db: AsyncSession, parts: "Parts", asked: Asked) -> bool:
    if not asked.linear_id or access.is_ignored(parts.settings.linear, asked):
        return False
    query = select(LinearSession).where(
        LinearSession.organization == asked.organization, LinearSession.linear_id == asked.linear_id
    )
    return await _asked(db, parts, asked, await db.scalar(query))


async def _comment(db: AsyncSession, parts: "Parts", asked: Asked) -> bool:
    choices = parts.settings.linear
    if not asked.issue or access.is_ignored(choices, asked) or await outgoing.is_ours(db, asked.reference):
        return False
    query = (
        select(LinearSession)
        .where(
            LinearSession.organization == asked.organization,
            LinearSession.issue == asked.issue,
            LinearSession.linear_id.is_(None),
            LinearSession.messages > 0,  # not one that was refused
        )
        .order_by(LinearSession.created_at.desc())
    )
    there = await db.scalar(query.limit(1))
    mentioned = triggers.mentions(asked.text, choices.linear_agent_name)
    reply = asked.comment != asked.reference and (
        (there is not None and there.comment == asked.comment) or await outgoing.is_ours(db, asked.comment)
    )
    if not mentioned and not (reply and there):
        return False
    if there is None and not triggers.begins_session(asked.text):
        return await _plain_answer(db, parts, asked)
    return await _asked(db, parts, asked, there)


async def _issue(db: AsyncSession, parts: "Parts", asked: Asked, *, given: bool) -> bool:
    choices = parts.settings.linear
    called = triggers.mentions(asked.text, choices.linear_agent_name) and triggers.begins_session(asked.text)
    if not (given or called) or access.is_ignored(choices, asked):
        return False
    query = select(LinearSession.id).where(
        LinearSession.organization == asked.organization, LinearSession.issue == asked.issue
    )
    if await db.scalar(query.limit(1)) is not None:
        return False
    return await _asked(db, parts, asked, None)


async def _plain_answer(db: AsyncSession, parts: "Parts", asked: Asked) -> bool:
    words = "Tell me what to do, for instance: help me fix this. I work on it in a session of its own."
    return await _refuse(db, parts, asked, words)


async def _asked(db: AsyncSession, parts: "Parts", asked: Asked, there: LinearSession | None) -> bool:
    """Answer at once, before anything is started, and put the work in line."""
    now = parts.linear.now()
    if words := access.refusal(parts.settings.linear, asked):
        return await _refuse(db, parts, asked, words, there)
    user = await access.user(db, parts.settings, asked)
    if user is None:
        return await _refuse(db, parts, asked, NOBODY, there)
    if there is not None and there.user_id != user.id:
        return await _refuse(db, parts, asked, "This session is somebody else's; mention me again.", there)
    if asked.stop:
        return await _stop(db, parts, asked, there)
    if not parts.settings.linear.enable_sessions:
        words = "Sessions are switched off on my server (ENABLE_SESSIONS=false), so I cannot work on this."
        return await _refuse(db, parts, asked, words, there)
    if there is None:
        if await _begun_lately(db, parts) >= parts.settings.linear.linear_sessions_per_hour:
            most = parts.settings.linear.linear_sessions_per_hour
            return await _refuse(db, parts, asked, f"I begin {most} sessions an hour; ask again later.")
        there = await _new(db, parts, asked, user)
    there.last_activity = now
    there.messages += 1
    question = there.question or {}
    first = uuid.uuid5(there.id, f"heard:{asked.reference}")
    if question.get("kind") not in {None, "repository"}:
        await jobs.add(db, there, "answer", {"text": asked.text}, now)
        return True
    await outgoing.say(db, there, outgoing.thought(_first_word(there)), now, id=first)
    body = {"text": asked.text, "name": asked.author_name, "reference": asked.reference}
    await jobs.add(db, there, "work", body, now)
    return True


async def _stop(db: AsyncSession, parts: "Parts", asked: Asked, there: LinearSession | None) -> bool:
    if there is None:
        return False
    now = parts.linear.now()
    there.question = None
    await jobs.drop(db, there)
    await jobs.add(db, there, "stop", {"reference": asked.reference}, now)
    return True


async def _refuse(
    db: AsyncSession, parts: "Parts", asked: Asked, words: str, there: LinearSession | None = None
) -> bool:
    """Say why nothing is done, under a session that has ended already."""
    now = parts.linear.now()
    if there is None:
        user = await access.user(db, parts.settings, asked)
        there = await _new(db, parts, asked, user, links=False)
        there.status, there.ended_at = "completed", now
    await outgoing.say(db, there, outgoing.response(words), now)
    return False


async def _new(
    db: AsyncSession, parts: "Parts", asked: Asked, user: User | None, *, links: bool = True
) -> LinearSession:
    now = parts.linear.now()
    owner = user or await users.local(db)
    title = " ".join(part for part in (asked.identifier, asked.title) if part) or "Linear"
    place = asked.issue or asked.linear_id or asked.comment
    wanted = Wanted(
        title=title, name=None, agent=Chosen(), projects=(), mount=False, auto_approve=False,
        key=f"linear:{asked.organization}:{place}",
    )  # fmt: skip
    made = LinearSession(
        id=uuid.uuid4(), organization=asked.organization, linear_id=asked.linear_id,
        issue=asked.issue or None, identifier=asked.identifier, title=asked.title,
        comment=asked.comment or None, creator=asked.author, creator_name=asked.author_name,
        team=asked.team, team_key=asked.team_key, user_id=owner.id,
        container=await _container(db, asked, owner, wanted), repository=None, branch="",
        context=asked.context, status="creating", question=None, messages=0, errors=0,
        created_at=now, last_activity=now, last_said=now,
    )  # fmt: skip
    db.add(made)
    await db.flush()
    if links and (base := public_url(parts)):
        link = {"label": "Session", "url": f"{base}/sessions/{made.container}"}
        await outgoing.show(db, made, {"externalUrls": [link]}, now, key="links")
    return made


async def _container(db: AsyncSession, asked: Asked, user: User, wanted: Wanted) -> str:
    """Return the session of an issue: the one it has, whatever its title was, or a new one's name."""
    if asked.issue:
        query = select(LinearSession.container).where(
            LinearSession.organization == asked.organization,
            LinearSession.issue == asked.issue,
            LinearSession.user_id == user.id,
        )
        if there := await db.scalar(query.order_by(LinearSession.created_at).limit(1)):
            return str(there)
    return server_sessions.named(access.caller(user), wanted).name or ""


async def _begun_lately(db: AsyncSession, parts: "Parts") -> int:
    hour = parts.linear.now() - timedelta(hours=1)
    count = (
        select(func.count())
        .select_from(LinearSession)
        .where(LinearSession.created_at > hour, LinearSession.messages > 0)
    )
    return await db.scalar(count) or 0


def _first_word(session: LinearSession) -> str:
    if session.messages > 1:
        return "I have your message, and go on with it."
    if session.linear_id is None:
        return "🚀 Session Started! I will look at this in a sandbox of its own, and answer here."
    return "I look at this now, in a sandbox of its own."


def public_url(parts: "Parts") -> str:
    """Return the address of the server's page as people reach it; "" where nobody does."""
    found = parts.settings.linear.linear_agent_public_url or parts.settings.public_url
    return found.rstrip("/")
