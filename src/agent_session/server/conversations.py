"""Conversations and their messages in SQL; behind each is a real session."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import ConflictError, NotFoundError
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.connection import Database
from agent_session.server.database.models import Conversation, ConversationMessage

NOT_FOUND = "No item found when one was expected"


@dataclass(frozen=True, kw_only=True)
class New:
    """A conversation to be made."""

    session_id: str
    session_name: str | None = None
    description: str | None = None
    agent_name: str | None = None
    agent_instructions: str | None = None
    is_active: bool = True


def visible(caller: Caller) -> Select[Conversation]:
    """Select the conversations that a caller may see."""
    query = select(Conversation).where(Conversation.user_id == caller.user)
    return query if caller.session is None else query.where(Conversation.container == caller.session)


async def create(database: Database, caller: Caller, new: New) -> Conversation:
    """Make a conversation. ConflictError where the caller has one with that session_id."""
    if caller.session is not None:
        raise ConflictError(f"your token is for the session '{caller.session}' alone")
    now = datetime.now(UTC)
    made = Conversation(
        session_id=new.session_id,
        session_name=new.session_name,
        description=new.description,
        agent_name=new.agent_name,
        agent_instructions=new.agent_instructions,
        is_active=new.is_active,
        user_id=caller.user,
        created_at=now,
        updated_at=now,
    )
    try:
        async with database.transaction() as session:
            session.add(made)
    except IntegrityError:
        raise ConflictError(f"there is a session with session_id {new.session_id!r} already") from None
    return made


async def get(session: AsyncSession, caller: Caller, id: str) -> Conversation:
    """Return the caller's conversation with that id; NotFoundError for others', and for what is no id."""
    found: Conversation | None = await session.scalar(visible(caller).where(Conversation.id == number(id)))
    if found is None:
        raise NotFoundError(NOT_FOUND)
    return found


async def message(session: AsyncSession, of: Conversation, id: str) -> ConversationMessage:
    """Return a message of a conversation. NotFoundError."""
    found = await session.get(ConversationMessage, number(id))
    if found is None or found.session_id != of.id:
        raise NotFoundError(NOT_FOUND)
    return found


def number(id: str) -> uuid.UUID:
    """Read an id. NotFoundError for what is none: there is nothing of that name."""
    try:
        return uuid.UUID(id)
    except ValueError:
        raise NotFoundError(NOT_FOUND) from None


async def add(
    session: AsyncSession, of: Conversation, *, role: str, content: str, **more: Any
) -> ConversationMessage:
    """Add a message to a conversation."""
    now = datetime.now(UTC)
    made = ConversationMessage(
        session_id=of.id, role=role, content=content, created_at=now, updated_at=now, **more
    )
    session.add(made)
    await session.flush()
    return made


async def clear(session: AsyncSession, of: Conversation) -> int:
    """Remove all messages of a conversation; return how many there were."""
    done = await session.execute(delete(ConversationMessage).where(ConversationMessage.session_id == of.id))
    return done.rowcount if isinstance(done, CursorResult) else 0


async def count(session: AsyncSession, of: Conversation) -> int:
    """Count the messages of a conversation."""
    messages = select(func.count()).select_from(ConversationMessage)
    return await session.scalar(messages.where(ConversationMessage.session_id == of.id)) or 0
