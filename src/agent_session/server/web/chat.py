"""A session's own page: its conversation, what its agent asks, its prompts in line."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from agent_session.activity import conversation, state
from agent_session.activity.protocol import Entry
from agent_session.errors import ConflictError, Hint
from agent_session.host import clock
from agent_session.server import events, sessions
from agent_session.server.api.chat import begin_turn, there
from agent_session.server.api.session_shapes import Chat
from agent_session.server.api.sessions import Key
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader, Writer
from agent_session.server.auth.scopes import Caller
from agent_session.server.kept_answers import once
from agent_session.server.parts import OfServer, Parts
from agent_session.server.turns import Turn
from agent_session.server.web import listing, markdown, stream
from agent_session.server.web.pages import page, piece
from agent_session.server.web.turn_view import tool
from agent_session.sessions.session import Session

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
PAGE = 50
MOST = 10_000


@router.get("/sessions/{name}")
async def chat(name: str, asking: Reader, parts: OfServer) -> HTMLResponse:
    """Show a session's conversation; its entries are asked for by the page, as they cost a moment."""
    values = await of_session(parts, asking, name)
    return page("chat.html", asking, tab="chat", **values)


async def of_session(parts: Parts, asking: Caller, name: str) -> dict[str, Any]:
    """Return what each of a session's pages shows: the session, its state, all the others."""
    session, now = await _now(parts, asking, name)
    rows = await listing.rows(parts, asking)
    return {
        "row": listing.row(session, now),
        "question": now.question if session.running and now.value == "waiting" else None,
        "queue": parts.turns.line(name),
        "turn": _id(parts.turns.now(name)),
        "rows": rows,
        "root": f"/sessions/{name}",
        "here": f"/page/sessions/{name}",
    }


@router.get("/page/sessions/{name}/status")
async def listed_status(name: str, asking: Reader, parts: OfServer) -> HTMLResponse:
    """Show what the session's agent does, what it asks and what is in line, as it is now."""
    return await status(name, asking, parts, root=f"/sessions/{name}")


async def status(name: str, asking: Caller, parts: Parts, *, root: str) -> HTMLResponse:
    """Show it with links below `root`, and with what the caller may do about it."""
    session, now = await _now(parts, asking, name)
    return piece(
        "status.html",
        row=listing.row(session, now),
        question=now.question if session.running and now.value == "waiting" else None,
        queue=parts.turns.line(name),
        turn=_id(parts.turns.now(name)),
        root=root,
        scopes=asking.scopes,
    )


@router.get("/page/sessions/{name}/conversation")
async def listed_entries(
    name: str, asking: Reader, parts: OfServer, limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE
) -> HTMLResponse:
    """Show the conversation as the agent has recorded it."""
    return await entries(name, asking, parts, limit)


async def entries(name: str, asking: Caller, parts: Parts, limit: int) -> HTMLResponse:
    """Show the last entries of the agent's own record, without those of the turn that goes on."""
    session = await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    if not session.running:
        return piece("conversation.html", entries=[], earlier=0, live="", stopped=True)
    before = parts.turns.now(name)
    found = await parts.threads.run(lambda: conversation.history(parts.engine, session, limit=limit + 1))
    live = parts.turns.now(name) or before
    earlier = min(MOST, limit + 2 * PAGE) if len(found) > limit else 0
    shown = _without(found[-limit:], live)
    return piece(
        "conversation.html",
        entries=_identified(shown),
        earlier=earlier,
        live=_id(parts.turns.now(name)),
        stopped=False,
    )


@router.get("/page/sessions/{name}/losses")
async def losses(name: str, asking: Reader, parts: OfServer) -> HTMLResponse:
    """List what would be lost with a session."""

    def look() -> tuple[str, ...]:
        session = ownership.get(parts.engine, asking, name)
        return sessions.losses(parts.engine, parts.installation, session)

    return piece("losses.html", lost=await parts.threads.run(look))


@router.get("/page/stream")
async def happenings(
    asking: Reader, parts: OfServer, session: Annotated[str, Query(max_length=63)] = ""
) -> StreamingResponse:
    """Stream what has changed in the caller's sessions, and the turn that goes on in one of them."""

    async def told() -> AsyncIterator[bytes]:
        parts.metrics.streams.inc()
        try:
            with parts.presence.showing(asking.device, session):
                async for chunk in stream.follow(parts, ownership.sees(asking), session):
                    yield chunk
        finally:
            parts.metrics.streams.dec()

    if session:
        await parts.threads.run(lambda: ownership.get(parts.engine, asking, session))
    return StreamingResponse(told(), media_type="text/event-stream", headers=events.HEADERS)


@router.post("/page/sessions/{name}/prompt")
async def prompt(
    name: str,
    asking: Writer,
    parts: OfServer,
    text: Annotated[str, Form(min_length=1, max_length=1_000_000)],
    model: Annotated[str, Form(max_length=255)] = "",
    key: Key = None,
) -> JSONResponse:
    """Give the agent a prompt, or put it in line where it works; a stopped session is started first."""

    async def give() -> dict[str, Any]:
        turn = await begin_turn(
            parts, asking, name, Chat(prompt=text, model=model or None, when_busy="queue")
        )
        return {"turn": str(turn.id), "queued": turn.queued}

    return JSONResponse(await once(parts.database, asking, key, ["page prompt", name, text, model], give))


@router.post("/page/sessions/{name}/answer")
async def answer(
    name: str,
    asking: Writer,
    parts: OfServer,
    reply: Annotated[str, Form(min_length=1, max_length=100_000)],
    question: Annotated[str, Form(max_length=1000)] = "",
    message: Annotated[str, Form(max_length=100_000)] = "",
) -> JSONResponse:
    """Answer the question that was on the screen; where the agent asks another one by now, that is 409."""
    session = await there(parts, asking, name)
    now = await parts.threads.run(lambda: state.read(parts.engine, [session])[session.name])
    asked = now.question.id if now.question else None
    if now.value != "waiting" or (asked is not None and question != asked):
        raise ConflictError("this question is answered already", hint=Hint("status", [name]))
    done = await parts.threads.run(lambda: conversation.answer(parts.engine, session, reply, instead=message))
    return JSONResponse({"message": done.done})


async def _now(parts: Parts, asking: Caller, name: str) -> tuple[Session, state.State]:
    """Return the caller's session and its state, read now."""

    def look() -> tuple[Session, state.State]:
        session = ownership.get(parts.engine, asking, name)
        return session, state.read(parts.engine, [session])[session.name]

    session, found = await parts.threads.run(look)
    parts.watching.note(session, found)
    return session, found


def _id(turn: Turn | None) -> str:
    return str(turn.id) if turn else ""


def _without(found: list[Entry], live: Turn | None) -> list[Entry]:
    """The entries before the turn that goes on, which the page has from its stream."""
    if live is None:
        return found
    text = live.text.strip()
    for place in range(len(found) - 1, -1, -1):
        if found[place].role == "user":
            return found[:place] if found[place].text.strip() == text else found
    return found


def _identified(found: list[Entry]) -> list[dict[str, Any]]:
    """Entries for the template; an id is the same as long as the entry is."""
    seen: dict[str, int] = {}
    shown = []
    for entry in found:
        digest = hashlib.sha256(
            f"{entry.role}\0{entry.time}\0{entry.text}".encode("utf-8", "replace")
        ).hexdigest()
        number = seen[digest] = seen.get(digest, -1) + 1
        shown.append(
            {
                "id": f"e{uuid.UUID(digest[:32]).hex[:16]}-{number}",
                "role": entry.role,
                "text": entry.text,
                "html": markdown.html(entry.text) if entry.role == "assistant" else "",
                "tools": [tool(one) for one in entry.tools],
                "time": clock.parse(entry.time),
            }
        )
    return shown
