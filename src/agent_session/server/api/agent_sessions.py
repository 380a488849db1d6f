"""Conversations with agents, their messages, and what is said in them (/api/agent-sessions)."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from agent_session.errors import ConflictError
from agent_session.server import agents, conversations, sessions
from agent_session.server.api import pages
from agent_session.server.api.chat import answered, begin_turn
from agent_session.server.api.conversation_shapes import (
    ConversationChange,
    ConversationRequest,
    ConversationResponse,
    ConversationShape,
    Deleted,
    MessageChange,
    MessageShape,
    NewConversation,
    NewMessage,
)
from agent_session.server.api.pages import Asked, Page
from agent_session.server.api.session_shapes import Chat
from agent_session.server.api.sessions import create
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Deleter, Reader, Writer
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import Conversation, ConversationMessage
from agent_session.server.parts import OfServer, Parts
from agent_session.server.problems import PROBLEMS
from agent_session.sessions.errors import SessionNotFound

router = APIRouter(prefix="/api/agent-sessions", tags=["agent sessions"], responses=PROBLEMS)
Changed = Annotated[bool, Query()]
SAY_HELLO = "Hello"


@router.get("")
async def list_agent_sessions(wanted: Asked, asking: Reader, parts: OfServer) -> Page[ConversationShape]:
    """List your conversations, the newest first, 20 a page."""
    async with parts.database.transaction() as session:
        rows, limit, offset, total = await pages.page(
            session, conversations.visible(asking), Conversation, wanted,
            searched=Conversation.session_name, size=20, order="desc",
        )  # fmt: skip
    items = [ConversationShape.model_validate(row) for row in rows]
    return Page(items=items, limit=limit, offset=offset, total=total)


@router.post("", status_code=201)
async def create_agent_session(new: NewConversation, asking: Writer, parts: OfServer) -> ConversationShape:
    """Make a conversation; its session is made when it is first talked to. 409 for a session_id twice."""
    made = await conversations.create(parts.database, asking, conversations.New(**new.model_dump()))
    return ConversationShape.model_validate(made)


@router.post("/conversation", status_code=201)
async def converse(said: ConversationRequest, asking: Writer, parts: OfServer) -> ConversationResponse:
    """Say the last user message to the agent, and return its answer.

    409 where the conversation is not active, or its agent works or waits for an answer; 502 with what the
    agent says of a failure.
    """
    found = await _meant(parts, asking, said)
    if not found.is_active:
        raise ConflictError(f"the session {found.session_id!r} is deactivated")
    text = next((one.content for one in reversed(said.messages) if one.role == "user"), "") or SAY_HELLO
    name = await _session_behind(parts, asking, found)
    turn = await begin_turn(parts, asking, name, Chat(prompt=text))
    ended = await answered(parts, asking, turn)
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, str(found.id))
        await conversations.add(session, of, role="user", content=text)
        if ended.text:
            await conversations.add(session, of, role="assistant", content=ended.text)
        of.updated_at = datetime.now(UTC)
        total = await conversations.count(session, of)
    return ConversationResponse(
        session_id=of.session_id,
        session_uuid=of.id,
        response=ended.text,
        messages_count=total,
        session_active=of.is_active,
    )


@router.get("/{id}")
async def get_agent_session(id: str, asking: Reader, parts: OfServer) -> ConversationShape:
    """Tell about a conversation."""
    async with parts.database.transaction() as session:
        return ConversationShape.model_validate(await conversations.get(session, asking, id))


@router.patch("/{id}")
async def update_agent_session(
    id: str, change: ConversationChange, asking: Writer, parts: OfServer
) -> ConversationShape:
    """Change a conversation. New instructions reach an agent whose session is not made yet."""
    return await _change(parts, asking, id, change.model_dump(exclude_unset=True))


@router.put("/{id}/activate")
async def activate_agent_session(id: str, asking: Writer, parts: OfServer) -> ConversationShape:
    """Let a conversation be talked in."""
    return await _change(parts, asking, id, {"is_active": True})


@router.put("/{id}/deactivate")
async def deactivate_agent_session(id: str, asking: Writer, parts: OfServer) -> ConversationShape:
    """Let a conversation refuse what is said to it."""
    return await _change(parts, asking, id, {"is_active": False})


@router.delete("/{id}", status_code=204)
async def delete_agent_session(
    id: str, asking: Deleter, parts: OfServer, discard_work: Changed = False
) -> Response:
    """Remove a conversation and the session behind it; 409 as for `DELETE /api/sessions/NAME`."""
    async with parts.database.transaction() as session:
        found = await conversations.get(session, asking, id)
    if name := found.container:
        await _remove(parts, asking, name, discard_work=discard_work)
    async with parts.database.transaction() as session:
        await session.delete(await conversations.get(session, asking, id))
    return Response(status_code=204)


@router.get("/{id}/messages")
async def list_session_messages(
    id: str, wanted: Asked, asking: Reader, parts: OfServer
) -> Page[MessageShape]:
    """List the messages of a conversation, the oldest first, 50 a page."""
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, id)
        query = select(ConversationMessage).where(ConversationMessage.session_id == of.id)
        rows, limit, offset, total = await pages.page(
            session, query, ConversationMessage, wanted,
            searched=ConversationMessage.content, size=50, order="asc",
        )  # fmt: skip
    items = [MessageShape.model_validate(row) for row in rows]
    return Page(items=items, limit=limit, offset=offset, total=total)


@router.post("/{id}/messages", status_code=201)
async def create_session_message(id: str, new: NewMessage, asking: Writer, parts: OfServer) -> MessageShape:
    """Add a message to the record; the agent is told nothing."""
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, id)
        return MessageShape.model_validate(await conversations.add(session, of, **new.model_dump()))


@router.get("/{id}/messages/{message_id}")
async def get_session_message(id: str, message_id: str, asking: Reader, parts: OfServer) -> MessageShape:
    """Tell a message."""
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, id)
        return MessageShape.model_validate(await conversations.message(session, of, message_id))


@router.patch("/{id}/messages/{message_id}")
async def update_session_message(
    id: str, message_id: str, change: MessageChange, asking: Writer, parts: OfServer
) -> MessageShape:
    """Change a message in the record."""
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, id)
        found = await conversations.message(session, of, message_id)
        for name, value in change.model_dump(exclude_unset=True).items():
            if value is not None or name == "extra_data":
                setattr(found, name, value)
        found.updated_at = datetime.now(UTC)
        await session.flush()
        return MessageShape.model_validate(found)


@router.delete("/{id}/messages/{message_id}", status_code=204)
async def delete_session_message(id: str, message_id: str, asking: Writer, parts: OfServer) -> Response:
    """Remove a message from the record."""
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, id)
        await session.delete(await conversations.message(session, of, message_id))
    return Response(status_code=204)


@router.delete("/{id}/clear-messages")
async def clear_session_messages(id: str, asking: Writer, parts: OfServer) -> Deleted:
    """Remove all messages of a conversation from the record; the agent remembers them still."""
    async with parts.database.transaction() as session:
        of = await conversations.get(session, asking, id)
        return Deleted(deleted_count=await conversations.clear(session, of))


async def _change(parts: Parts, asking: Caller, id: str, values: dict[str, Any]) -> ConversationShape:
    async with parts.database.transaction() as session:
        found = await conversations.get(session, asking, id)
        for name, value in values.items():
            if value is not None or name != "is_active":
                setattr(found, name, value)
        found.updated_at = datetime.now(UTC)
        await session.flush()
        return ConversationShape.model_validate(found)


async def _meant(parts: Parts, asking: Caller, said: ConversationRequest) -> Conversation:
    """Return the conversation that is meant; where there is none of that session_id, it is made."""
    session_id = said.session_id or f"session_{asking.login}_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    async with parts.database.transaction() as session:
        query = conversations.visible(asking).where(Conversation.session_id == session_id)
        found = await session.scalar(query)
    if found is not None:
        return found
    new = conversations.New(
        session_id=session_id,
        session_name=said.session_name,
        agent_name=said.agent_name,
        agent_instructions=said.agent_instructions,
    )
    return await conversations.create(parts.database, asking, new)


async def _session_behind(parts: Parts, asking: Caller, found: Conversation) -> str:
    """Return the name of the session behind a conversation, which is made where it is not there."""
    title = (found.session_name or found.session_id)[:200]
    name = found.container or sessions.readable_name(title, seed=str(found.id))
    if found.container is None:
        async with parts.database.transaction() as session:
            (await conversations.get(session, asking, str(found.id))).container = name

    agent = await _agent(parts, asking, found.agent_name)

    wanted = sessions.Wanted(
        title=title, name=name, agent=agent, projects=(), mount=False, auto_approve=False,
        reuse=True, instructions=found.agent_instructions or "",
    )  # fmt: skip
    try:
        await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    except SessionNotFound:
        await create(parts, asking, wanted, lambda _line: None)
    return name


async def _agent(parts: Parts, asking: Caller, name: str | None) -> agents.Chosen:
    """Choose the agent that a conversation names; a name of no agent's is the conversation's own affair."""
    async with parts.database.transaction() as session:
        names = {one.name for one in await agents.of_user(session, asking)}
    known = names | set(await parts.threads.run(parts.installation.agents))
    return await agents.chosen(parts.database, parts.settings, asking, name if name in known else None)


async def _remove(parts: Parts, asking: Caller, name: str, *, discard_work: bool) -> None:
    def remove() -> None:
        try:
            session = ownership.get(parts.engine, asking, name)
        except SessionNotFound:
            return  # it was never made, or removed by the command line
        sessions.remove(parts.engine, parts.installation, session, discard_work=discard_work)

    await parts.threads.run(remove)
