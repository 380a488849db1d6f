"""A session's terminal in the browser: a WebSocket to a client of the very Zellij session.

Binary frames are bytes of the terminal; a text frame of the browser is its size. Who only watches gets the
screen when it has changed: there is no client, so nothing is typed, and nobody's size changes.
"""

import asyncio
import contextlib
import json
import os
import shlex
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

from agent_session import inside
from agent_session.activity import terminal as screen
from agent_session.errors import AgentSessionError
from agent_session.host import detach_key
from agent_session.server.audit import Call
from agent_session.server.auth import authentication, ownership
from agent_session.server.auth.authentication import Terminal
from agent_session.server.auth.scopes import Caller
from agent_session.server.errors import Forbidden
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web import templates
from agent_session.server.web.chat import of_session
from agent_session.server.web.pages import page
from agent_session.server.web.pseudo_terminal import PseudoTerminal
from agent_session.server.web.visitors import Visitor
from agent_session.sessions import attach, find
from agent_session.sessions.errors import SessionStopped
from agent_session.sessions.session import Session

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
SMALLEST, LARGEST = (20, 5), (500, 300)
GOING_AWAY, REFUSED, ENDED = 1001, 4003, 4001
"""Why a socket is closed: the server ends; refused, with the reason; the terminal has ended or was left."""
WATCH_SECONDS = 0.7
OTHERS_SECONDS = 4.0
COUNT_CLIENTS = [inside.PGREP, "-fc", "^[^ ]*zellij (attach|watch)"]
CLEAR = b"\x1b[?7l\x1b[?25l\x1b[m\x1b[2J\x1b[H"
"""Lines are not wrapped, no cursor; an empty screen."""


@router.get("/sessions/{name}/terminal")
async def terminal_page(name: str, asking: Terminal, parts: OfServer) -> HTMLResponse:
    """Show a session's terminal."""
    return page("terminal.html", asking, tab="terminal", **await of_session(parts, asking, name))


@router.websocket("/page/sessions/{name}/terminal")
async def terminal(
    socket: WebSocket,
    name: str,
    parts: OfServer,
    columns: Annotated[int, Query(ge=1, le=2000)] = 80,
    rows: Annotated[int, Query(ge=1, le=2000)] = 24,
    watch: bool = False,
) -> None:
    """Connect a browser with a session's terminal until one of them leaves, or the server ends."""
    await socket.accept()
    try:
        asking = await authentication.of_socket(socket, parts)
        await _recorded(socket, parts, asking, name, 101)
        session = await parts.threads.run(lambda: _running(parts, asking, name))
    except AgentSessionError as error:
        await socket.close(REFUSED, error.message[:120])
        return
    browser = templates.browser(socket.headers.get("user-agent", ""))
    visitor = Visitor(name=f"{asking.login} on {browser}", types=not watch)
    with parts.visitors.at(name, visitor):
        others = asyncio.create_task(_tell_others(socket, parts, session, visitor))
        try:
            if watch:
                reason = await watched(socket, parts, session)
            else:
                reason = await _attached(socket, parts, session, _size(columns, rows))
        finally:
            others.cancel()
            await asyncio.gather(others, return_exceptions=True)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(reason)


async def _attached(socket: WebSocket, parts: Parts, session: Session, size: tuple[int, int]) -> int:
    """Be a client of the session's terminal; return why it is over."""
    shown = PseudoTerminal(*await parts.threads.run(lambda: _client(parts, session)), size)
    try:
        return await _exchange(socket, shown, parts.hub.closing)
    finally:
        await shown.leave()


async def _tell_others(socket: WebSocket, parts: Parts, session: Session, self: Visitor) -> None:
    """Tell who else is at the terminal, as that changes: in browsers, and on command lines."""
    before: list[str] | None = None
    while True:
        there = parts.visitors.of(session.name)
        clients = await parts.threads.run(lambda: _clients(parts, session))
        rest = clients - sum(one.types for one in there)
        now = [one.told() for one in there if one is not self]
        now += ["a terminal"] if rest == 1 else [f"{rest} terminals"] if rest > 1 else []
        if now != before:
            await socket.send_text(json.dumps({"others": now}))
        before = now
        await asyncio.sleep(OTHERS_SECONDS)


def _clients(parts: Parts, session: Session) -> int:
    """Count the clients of a session's Zellij; 0 where they cannot be counted."""
    try:
        done = parts.engine.exec(session.container, COUNT_CLIENTS, timeout=10)
        return int(done.stdout or b"0")
    except (AgentSessionError, ValueError):
        return 0


async def watched(socket: WebSocket, parts: Parts, session: Session) -> int:
    """Show the screen as it changes, without a client; return why it is over."""
    over = {asyncio.create_task(_left(socket)), asyncio.create_task(_until(parts.hub.closing))}
    before: str | None = None
    done: set[asyncio.Task[None]] = set()
    try:
        while not done:
            text = await parts.threads.run(lambda: screen.shown(parts.engine, session))
            if text != before:
                await socket.send_bytes(CLEAR + text.replace("\n", "\r\n").encode())
            before = text
            done, _ = await asyncio.wait(over, timeout=WATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    except (AgentSessionError, WebSocketDisconnect):
        return ENDED
    finally:
        for task in over:
            task.cancel()
        await asyncio.gather(*over, return_exceptions=True)
    return GOING_AWAY if parts.hub.closing.is_set() else ENDED


async def _left(socket: WebSocket) -> None:
    """Wait until the browser leaves; what it types is passed over."""
    while (await socket.receive())["type"] == "websocket.receive":
        pass


async def _exchange(socket: WebSocket, shown: PseudoTerminal, closing: asyncio.Event) -> int:
    """Pass bytes both ways; return why it is over."""

    async def out() -> None:
        while piece := await shown.read():
            await socket.send_bytes(piece)

    async def typed() -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            if message.get("text"):
                _resize(shown, message["text"])
            elif message.get("bytes"):
                shown.type(message["bytes"])

    leaving, ending = asyncio.create_task(typed()), asyncio.create_task(_until(closing))
    works = {asyncio.create_task(out()), leaving, ending}
    done, rest = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    return GOING_AWAY if ending in done else ENDED


async def _until(closing: asyncio.Event) -> None:
    await closing.wait()


def _resize(shown: PseudoTerminal, text: str) -> None:
    """Take a browser's size; what is none is passed over."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        told = json.loads(text)
        shown.resize(_size(int(told["cols"]), int(told["rows"])))


def _size(columns: int, rows: int) -> tuple[int, int]:
    return min(max(columns, SMALLEST[0]), LARGEST[0]), min(max(rows, SMALLEST[1]), LARGEST[1])


def _running(parts: Parts, asking: Caller, name: str) -> Session:
    """Return the caller's session, which runs. SessionNotFound, SessionStopped, Forbidden."""
    if "terminal" not in asking.scopes:
        raise Forbidden("terminal")
    session = ownership.get(parts.engine, asking, name)
    if not session.running:
        raise SessionStopped(name)
    return session


def _client(parts: Parts, session: Session) -> tuple[list[str], Mapping[str, str]]:
    """Return the command of a session's client and its environment, by which an orphan is known."""
    token = attach.new_token()
    told = {
        attach.VARIABLE: token,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "AGENT_SESSION_DETACH_KEY": detach_key.DEFAULT,
        "AGENT_SESSION_PROGRAM": shlex.quote("agent-session"),
        "AGENT_SESSION_QUIET": "1",
    }
    command = find.attach_command(parts.engine, session, told)
    return command, {**os.environ, **parts.installation.environment, attach.VARIABLE: token}


async def _recorded(socket: WebSocket, parts: Parts, asking: Caller, name: str, status: int) -> None:
    """Write the visit into the audit log; what is typed is written nowhere."""
    address = socket.client.host if socket.client else ""
    await parts.audit.record(
        Call(
            user=asking.login, way=asking.way, action="terminal", session=name, status=status, address=address
        )
    )
