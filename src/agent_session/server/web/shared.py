"""The page of who has a link to one session: its conversation and its screen, and nothing to do there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from fastapi.responses import HTMLResponse, StreamingResponse

from agent_session.errors import AgentSessionError
from agent_session.server import events
from agent_session.server.audit import Call
from agent_session.server.auth import ownership, shares
from agent_session.server.auth.shares import ShareOver, Watcher
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web import chat, stream, terminal
from agent_session.server.web.pages import page
from agent_session.server.web.visitors import Visitor
from agent_session.sessions.errors import SessionNotFound, SessionStopped
from agent_session.sessions.session import Session

router = APIRouter(prefix="/share/{word}", include_in_schema=False, default_response_class=HTMLResponse)
CHECK_SECONDS = 2.0
"""How long after a link is taken back an open page still shows what happens."""


async def watcher(
    word: Annotated[str, Path(min_length=1, max_length=100)], asked: HTTPConnection, parts: OfServer
) -> Watcher:
    """Return who watches. Raises ShareOver; TooManyRequests for who tries one word after the other."""
    address = asked.client.host if asked.client else ""
    parts.guesses.check(address)
    try:
        async with parts.database.transaction() as db:
            found = await shares.find(db, word)
        await parts.threads.run(lambda: session_of(parts, found))
    except ShareOver:
        parts.guesses.failed(address)
        raise
    return found


Watching = Annotated[Watcher, Depends(watcher)]


def session_of(parts: Parts, watching: Watcher) -> Session:
    """Return the session that a link is for. ShareOver where it is gone, or another one has its name."""
    try:
        session = ownership.get(parts.engine, watching.caller, watching.session)
    except SessionNotFound:
        raise ShareOver from None
    if session.created != watching.began:
        raise ShareOver
    return session


@router.get("")
async def conversation(word: str, watching: Watching, asked: HTTPConnection, parts: OfServer) -> HTMLResponse:
    """Show the conversation."""
    await _record(asked, watching, parts)
    return page("chat.html", watching.caller, **await _values(parts, watching, word, "chat"))


@router.get("/terminal")
async def screen(word: str, watching: Watching, asked: HTTPConnection, parts: OfServer) -> HTMLResponse:
    """Show the terminal."""
    await _record(asked, watching, parts)
    return page("terminal.html", watching.caller, **await _values(parts, watching, word, "terminal"))


@router.get("/status")
async def status(word: str, watching: Watching, parts: OfServer) -> HTMLResponse:
    """Show what the agent does, and what it asks."""
    return await chat.status(watching.session, watching.caller, parts, root=f"/share/{word}")


@router.get("/conversation")
async def entries(
    watching: Watching, parts: OfServer, limit: Annotated[int, Query(ge=1, le=chat.MOST)] = chat.PAGE
) -> HTMLResponse:
    """Show the last entries of the agent's own record."""
    return await chat.entries(watching.session, watching.caller, parts, limit)


@router.get("/stream")
async def happenings(word: str, watching: Watching, parts: OfServer) -> StreamingResponse:
    """Stream what happens in the session, until the link ends."""
    sees = ownership.sees(watching.caller)

    async def told() -> AsyncIterator[bytes]:
        over = asyncio.create_task(_over(parts, word))
        pieces = aiter(stream.follow(parts, sees, watching.session))
        try:
            while not over.done():
                piece = asyncio.ensure_future(anext(pieces, b""))
                await asyncio.wait({piece, over}, return_when=asyncio.FIRST_COMPLETED)
                if not piece.done():
                    piece.cancel()
                    await asyncio.gather(piece, return_exceptions=True)
                    return
                if not (chunk := piece.result()):
                    return
                yield chunk
        finally:
            over.cancel()
            await pieces.aclose()  # type: ignore[attr-defined]

    return StreamingResponse(told(), media_type="text/event-stream", headers=events.HEADERS)


@router.websocket("/screen")
async def screen_socket(socket: WebSocket, word: str, parts: OfServer) -> None:
    """Show the screen as it changes, until the link ends; what is typed is passed over."""
    await socket.accept()
    try:
        watching = await watcher(word, socket, parts)
        session = await parts.threads.run(lambda: session_of(parts, watching))
        if not session.running:
            raise SessionStopped(session.name)
    except AgentSessionError as error:
        await socket.close(terminal.REFUSED, error.message[:120])
        return
    over = asyncio.create_task(_over(parts, word))
    showing = asyncio.create_task(terminal.watched(socket, parts, session))
    with parts.visitors.at(session.name, Visitor(name="somebody with a link", types=False)):
        await asyncio.wait({over, showing}, return_when=asyncio.FIRST_COMPLETED)
    reason = showing.result() if showing.done() else terminal.REFUSED
    words = "" if showing.done() else ShareOver().message[:120]
    for task in (over, showing):
        task.cancel()
    await asyncio.gather(over, showing, return_exceptions=True)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(reason, words)


async def _over(parts: Parts, word: str) -> None:
    """Wait until a link has ended."""
    with contextlib.suppress(ShareOver):
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await _check(parts, word)


async def _check(parts: Parts, word: str) -> None:
    async with parts.database.transaction() as db:
        watching = await shares.find(db, word)
    await parts.threads.run(lambda: session_of(parts, watching))


async def _values(parts: Parts, watching: Watcher, word: str, tab: str) -> dict[str, Any]:
    values = await chat.of_session(parts, watching.caller, watching.session)
    place = f"/share/{word}"
    return values | {"tab": tab, "layout": "shared.html", "root": place, "here": place, "share": watching}


async def _record(asked: HTTPConnection, watching: Watcher, parts: Parts) -> None:
    """Write the visit into the audit log."""
    address = asked.client.host if asked.client else ""
    await parts.audit.record(
        Call(
            user=None, way=watching.caller.way, action="watch_shared", session=watching.session,
            status=200, address=address,
        )
    )  # fmt: skip
