"""Agents of users in SQL, and which one a session gets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.agents.stored_login import StoredLogin, json_object
from agent_session.errors import ConflictError, Hint, NotFoundError, UsageError
from agent_session.server import keys
from agent_session.server.auth import users
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.connection import Database
from agent_session.server.database.models import Agent, User
from agent_session.server.settings import Settings
from agent_session.sessions.session import Session

NO_AGENT = "No agent configured. Please create an agent first in Settings."
NOT_FOUND = "Agent not found"
MACHINE = "machine"
"""The way of an agent that has the logins of whoever runs the server."""


class NoAgent(UsageError):
    """A session was asked for, and no agent can be started."""

    code = "no-agent"

    def __init__(self) -> None:
        super().__init__(
            NO_AGENT,
            hint=[Hint(shell="POST /api/agents"), Hint("build", ["--all"]), Hint("login", ["claude"])],
        )


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a session gets: an agent's folder (None: the usual one), and an agent's login and model."""

    kind: str | None = None
    account: str = ""
    login: StoredLogin | None = None
    model: str = ""


async def of_user(session: AsyncSession, caller: Caller) -> Sequence[Agent]:
    """Return a user's agents, the first made first."""
    return (await session.scalars(select(Agent).where(Agent.user_id == caller.user).order_by(Agent.id))).all()


async def get(session: AsyncSession, caller: Caller, id: int) -> Agent:
    """Return a user's agent. NotFoundError for others'."""
    found = await session.scalar(select(Agent).where(Agent.user_id == caller.user, Agent.id == id))
    if found is None:
        raise NotFoundError(NOT_FOUND, hint=Hint(shell="GET /api/agents"))
    return found


async def add(database: Database, agent: Agent) -> Agent:
    """Keep a new agent. ConflictError where its user has one of that name."""
    agent.created_at = datetime.now(UTC)
    try:
        async with database.transaction() as session:
            session.add(agent)
    except IntegrityError:
        raise ConflictError(
            f"you have an agent {agent.name!r} already", hint=Hint(shell="GET /api/agents")
        ) from None
    return agent


async def settle(
    database: Database,
    settings: Settings,
    id: int,
    status: str,
    *,
    detail: str = "",
    login: StoredLogin | None = None,
) -> Agent | None:
    """Write down how an agent's login stands; a login that it had stays until there is another."""
    async with database.transaction() as session:
        agent = await session.get(Agent, id)
        if agent is None:
            return None
        agent.status, agent.detail = status, detail or None
        if login is not None:
            agent.login = keys.encrypt(settings, written(login))
        return agent


async def forget_pending(database: Database) -> None:
    """Tell of logins that a server's end has cut off that they have failed."""
    async with database.transaction() as session:
        for agent in await session.scalars(select(Agent).where(Agent.status == "pending")):
            agent.status, agent.detail = "failed", "the server ended before the login did; begin it again"


async def chosen(database: Database, settings: Settings, caller: Caller, wanted: str | None) -> Chosen:
    """Choose an agent by its name, number or kind; without a word the first one that is logged in.

    The user who runs the server has this machine's logins without an agent. Raises NoAgent for others, and
    ConflictError for an agent that is not logged in.
    """
    async with database.transaction() as session:
        found = await of_user(session, caller)
        if wanted is not None:
            named = next((one for one in found if wanted in {one.name, str(one.id)}), None)
            if named is None and caller.owner == "":
                return Chosen(kind=wanted)
            candidates = [named] if named else [one for one in found if one.kind == wanted]
        else:
            candidates = [one for one in found if one.status == "ready"]
        if not candidates:
            if caller.owner == "":
                return Chosen()
            raise NoAgent
        agent = next((one for one in candidates if one.status == "ready"), candidates[0])
        if agent.status != "ready":
            raise ConflictError(
                f"the agent {agent.name!r} is not logged in: its login is {agent.status}",
                hint=Hint(shell=f"POST /api/agents/{agent.id}/login"),
            )
        agent.last_used = datetime.now(UTC)
    if agent.way == MACHINE:
        return Chosen(kind=agent.kind, model=agent.model or "")
    return Chosen(
        kind=agent.kind,
        account=str(agent.id),
        login=login(settings, agent) or StoredLogin(),
        model=agent.model or "",
    )


async def login_of(database: Database, settings: Settings, session: Session) -> StoredLogin | None:
    """Return the login that a session gets of its agent; None where it has no such agent (any more)."""
    if not session.account.isdecimal():
        return None
    async with database.transaction() as db:
        agent = await db.get(Agent, int(session.account))
        user = await db.get(User, agent.user_id) if agent else None
    if agent is None or user is None or users.owner(user) != session.owner:
        return None
    return login(settings, agent)


def login(settings: Settings, agent: Agent) -> StoredLogin | None:
    """Return an agent's login, decrypted."""
    if not agent.login:
        return None
    kept = json_object(keys.decrypt(settings, agent.login))
    return StoredLogin(environment=kept.get("environment") or {}, files=kept.get("files") or {})


def written(login: StoredLogin) -> str:
    """Write a login as it is encrypted."""
    return json.dumps({"environment": dict(login.environment), "files": dict(login.files)})


async def encrypt_again(database: Database, settings: Settings) -> int:
    """Encrypt all logins with the first key; return how many there are."""
    count = 0
    async with database.transaction() as session:
        for agent in await session.scalars(select(Agent).where(Agent.login.is_not(None)).with_for_update()):
            agent.login = keys.encrypt(settings, keys.decrypt(settings, str(agent.login)))
            count += 1
    return count
