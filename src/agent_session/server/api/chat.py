"""Conversations with a session's agent. Their record is the agent's own."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, StreamingResponse

from agent_session.activity import conversation, shapes, state, terminal
from agent_session.activity.errors import OrderRefused
from agent_session.activity.protocol import Asked, Ended, Entry, Event, Used
from agent_session.activity.protocol import Said as Piece
from agent_session.errors import AgentSessionError, Hint, UsageError
from agent_session.host import clock
from agent_session.server import events, problems
from agent_session.server.api.session_shapes import (
    Answered,
    Chat,
    ModelShape,
    QueuedPrompt,
    Reply,
    Said,
    Screen,
)
from agent_session.server.api.sessions import NOT_THERE, REFUSED, Key, running
from agent_session.server.api.shapes import Message
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader, Writer
from agent_session.server.auth.scopes import Caller
from agent_session.server.kept_answers import once
from agent_session.server.parts import OfServer, Parts
from agent_session.server.turns import Turn, needs_answer
from agent_session.sessions.session import Session

router = APIRouter(prefix="/api/sessions/{name}", tags=["conversations"], responses=NOT_THERE | REFUSED)
QUEUED: dict[int | str, dict[str, Any]] = {202: {"model": QueuedPrompt}}
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.post("/chat", response_model=Answered, responses=QUEUED)
async def chat(name: str, said: Chat, asking: Writer, parts: OfServer, key: Key = None) -> Any:
    """Give the agent a prompt and wait for its answer; a stopped session is started first.

    409 while it works (or 202, with `when_busy` queue), and 409 with the question where it waits for one.
    """

    async def ask() -> dict[str, Any]:
        turn = await begin_turn(parts, asking, name, said)
        if turn.queued:
            return {"id": str(turn.id), "text": turn.text, "created_at": clock.utc(turn.created)}
        ended = await answered(parts, asking, turn)
        told = shapes.turn_end(ended)
        return {"content": told.pop("text"), "session_id": name, "turn": str(turn.id), **told}

    answer = await once(parts.database, asking, key, ["chat", name, said.model_dump()], ask)
    return answer if "content" in answer else JSONResponse(answer, status_code=202)


@router.post("/chat/stream", response_class=StreamingResponse, responses=STREAM)
async def chat_stream(name: str, said: Chat, asking: Writer, parts: OfServer) -> StreamingResponse:
    """Give the agent a prompt and stream its answer: `data: {"content": ...}` and at last `data: [DONE]`.

    Tools, a question and a failure are events with those names. A client that leaves does not end the turn.
    """
    turn = await begin_turn(parts, asking, name, said.model_copy(update={"when_busy": "refuse"}))
    queue = turn.follow()

    async def stream() -> AsyncIterator[bytes]:
        parts.metrics.streams.inc()
        told = ""
        try:
            async for event in _until_closing(parts, queue):
                told += event.text if isinstance(event, Piece) else ""
                yield _encoded(event)
            if turn.over.done() and (error := turn.over.exception()):
                expected = error if isinstance(error, AgentSessionError) else AgentSessionError("a bug")
                yield events.encoded("error", problems.body(expected))
            elif turn.over.done() and (rest := _rest(turn.over.result().text, told)):
                yield events.encoded("", {"content": rest})
            yield b"data: [DONE]\n\n"
        finally:
            parts.metrics.streams.dec()

    return StreamingResponse(stream(), media_type="text/event-stream", headers=events.HEADERS)


@router.get("/messages")
async def messages(
    name: str, asking: Reader, parts: OfServer, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[Said]:
    """Read the conversation from the agent's own record, what was typed in its terminal included."""
    session = await there(parts, asking, name)
    found = await parts.threads.run(lambda: conversation.history(parts.engine, session, limit=limit))
    return [_said(name, number, entry) for number, entry in enumerate(found)]


@router.post("/answer")
async def answer(name: str, said: Reply, asking: Writer, parts: OfServer) -> Message:
    """Answer what the agent waits for: once, always or reject; for a question a choice or a text."""
    session = await there(parts, asking, name)
    reply = await parts.threads.run(
        lambda: conversation.answer(parts.engine, session, said.answer, instead=said.message)
    )
    return Message(message=reply.done)


@router.post("/abort")
async def abort(name: str, asking: Writer, parts: OfServer) -> Message:
    """End the agent's turn."""
    session = await there(parts, asking, name)
    await parts.threads.run(lambda: conversation.abort(parts.engine, session))
    return Message(message="Aborted")


@router.get("/queue")
async def queue(name: str, asking: Reader, parts: OfServer) -> list[QueuedPrompt]:
    """List the prompts in line, the next first."""
    await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    return [QueuedPrompt(**prompt) for prompt in parts.turns.line(name)]


@router.delete("/queue/{id}")
async def cancel_prompt(name: str, id: uuid.UUID, asking: Writer, parts: OfServer) -> Message:
    """Take a prompt out of the line, before its turn."""
    await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    await parts.turns.cancel(name, id)
    return Message(message="Cancelled")


@router.get("/screen")
async def screen(
    name: str, asking: Reader, parts: OfServer, scrollback: Annotated[bool, Query()] = False
) -> Screen:
    """Read what the session's terminal shows, with `scrollback` also what was above."""
    session = await there(parts, asking, name)
    text = await parts.threads.run(lambda: terminal.shown(parts.engine, session, scrollback=scrollback))
    return Screen(text=text)


@router.get("/models")
async def models(name: str, asking: Reader, parts: OfServer) -> list[ModelShape]:
    """List the models that the agent can use, asked of it now."""
    session = await there(parts, asking, name)
    found = await parts.threads.run(lambda: conversation.models(parts.engine, session))
    return [ModelShape(**shapes.model(model)) for model in found]


async def begin_turn(parts: Parts, asking: Caller, name: str, said: Chat) -> Turn:
    """Give the agent a prompt, or put it in line."""
    parts.limits.prompt(asking)
    text = said.text()
    if not text.strip():
        raise UsageError("No prompt provided", hint=Hint("prompt", [name, "TEXT"]))
    session = await running(parts, asking, name)
    model = await _model(parts, session, said)
    now = await parts.threads.run(lambda: state.read(parts.engine, [session])[session.name])
    parts.watching.note(session, now)
    if now.value == "waiting":
        raise needs_answer(session, now)
    await parts.turns.settle(name, now)
    busy = now.value == "working" or parts.turns.is_busy(name)
    if busy and said.when_busy == "queue":
        return await parts.turns.enqueue(session, text, model)
    if busy:
        raise OrderRefused(name, f"session '{name}' is working", doing="working")
    return parts.turns.begin(session, text, model)


async def answered(parts: Parts, asking: Caller, turn: Turn) -> Ended:
    """Wait for a turn's end. NeedsAnswer at its first question; the turn goes on when that is answered."""
    queue = turn.follow()
    async for event in _until_closing(parts, queue):
        if isinstance(event, Asked):
            session = await there(parts, asking, turn.session)
            asked = state.State(value="waiting", question=event.question)
            raise needs_answer(session, asked)
    if not turn.over.done():
        raise AgentSessionError("the server is ending; the turn goes on, and /messages will have it")
    return await turn.over


async def _until_closing(parts: Parts, queue: "asyncio.Queue[Event | None]") -> AsyncIterator[Event]:
    """Give what happens in a turn until it is over, or the server ends."""
    closing = asyncio.ensure_future(parts.hub.closing.wait())
    try:
        while True:
            happening = asyncio.ensure_future(queue.get())
            await asyncio.wait({happening, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not happening.done():
                happening.cancel()
                return
            event = happening.result()
            if event is None:
                return
            yield event
    finally:
        closing.cancel()


async def there(parts: Parts, asking: Caller, name: str) -> Session:
    """Return the caller's session of that name, which runs. SessionNotFound, SessionStopped."""

    def look() -> Session:
        ownership.get(parts.engine, asking, name)
        return terminal.running(parts.engine, name)

    return await parts.threads.run(look)


async def _model(parts: Parts, session: Session, said: Chat) -> str:
    """Return the model that a turn wants, "" for the one in use. UsageError for one that there is not."""
    if said.model is None:
        return ""
    wanted = said.model if isinstance(said.model, str) else f"{said.model.providerID}/{said.model.modelID}"
    found = await parts.threads.run(lambda: conversation.models(parts.engine, session))
    known = next((model for model in found if model.id == wanted), None)
    if known is None:
        raise UsageError(
            f"the agent of session '{session.name}' has no model {wanted}",
            hint=Hint("models", [session.name]),
        )
    return "" if known.current else wanted


def _rest(whole: str, told: str) -> str:
    """What of an answer was not told in pieces: an agent need not tell any."""
    return whole[len(told) :] if whole.startswith(told) else ""


def _encoded(event: Event) -> bytes:
    if isinstance(event, Piece):
        return events.encoded("", {"content": event.text})
    if isinstance(event, Asked):
        question = event.question
        return events.encoded(
            "question",
            {
                "kind": question.kind,
                "text": question.text,
                "choices": list(question.choices),
                "id": question.id,
            },
        )
    return events.encoded("tool", shapes.tool(event)) if isinstance(event, Used) else b": taken\n\n"


def _said(name: str, number: int, entry: Entry) -> Said:
    """An entry of the agent's record in OpenCode's shape; its id is the same as long as the record is."""
    moment = clock.parse(entry.time)
    content = f"{number}\0{entry.role}\0{entry.time}\0{entry.text}"
    info = {
        "id": "msg_" + hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:24],
        "sessionID": name,
        "role": entry.role,
        "time": {"created": int(moment.timestamp() * 1000) if moment else 0},
    }
    parts: list[dict[str, Any]] = [{"type": "text", "text": entry.text}] if entry.text else []
    parts += [{"type": "tool", "tool": tool.name, "state": {"input": tool.input}} for tool in entry.tools]
    return Said(info=info, parts=parts)
