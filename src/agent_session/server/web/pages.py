"""The page's own addresses: the list, a new session, the settings; whole pages and what is in them."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header
from fastapi.responses import HTMLResponse, StreamingResponse

from agent_session.errors import AgentSessionError
from agent_session.server import agents as user_agents
from agent_session.server import sessions
from agent_session.server.api.chat import begin_turn
from agent_session.server.api.session_shapes import Chat, NewSession
from agent_session.server.auth.authentication import Reader, Writer
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web import listing
from agent_session.server.web.progress import Progress
from agent_session.server.web.templates import render

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
NO_STORE = {"cache-control": "no-store"}
LINES = "application/x-ndjson"


def page(template: str, asking: Caller, **values: Any) -> HTMLResponse:
    """Return a whole page for who is logged in."""
    return HTMLResponse(
        render(
            template, **{"layout": "session.html", "login": asking.login, "scopes": asking.scopes, **values}
        ),
        headers=NO_STORE,
    )


def piece(template: str, **values: Any) -> HTMLResponse:
    """Return a part of a page."""
    return HTMLResponse(render(template, **values), headers=NO_STORE)


@router.get("/")
async def front(asking: Reader, parts: OfServer) -> HTMLResponse:
    """Show the caller's sessions."""
    return page("sessions.html", asking, rows=await listing.rows(parts, asking))


@router.get("/page/list")
async def session_list(asking: Reader, parts: OfServer) -> HTMLResponse:
    """Show the list alone, as it is now."""
    return piece("rows.html", rows=await listing.rows(parts, asking))


@router.get("/new")
async def new_session(asking: Writer, parts: OfServer) -> HTMLResponse:
    """Show the form for a session to be made."""
    kinds: Mapping[str, bool] = {}
    if not asking.owner:  # whoever runs the server has this machine's logins without an agent of their own
        kinds = await parts.threads.run(lambda: sessions.agents(parts.engine, parts.installation))
    async with parts.database.transaction() as session:
        own = {one.name: one.status == "ready" for one in await user_agents.of_user(session, asking)}
    agents = {**own, **kinds}
    ready = [name for name, can_start in agents.items() if can_start]
    usual = next((name for name in (*own, *sessions.PREFERRED, *ready) if name in ready), "")
    rows = await listing.rows(parts, asking)
    return page("new.html", asking, agents=agents, usual=usual, rows=rows)


@router.post("/page/sessions")
async def create_session(
    asking: Writer,
    parts: OfServer,
    key: Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=255)],
    title: Annotated[str, Form(max_length=200)] = "",
    agent: Annotated[str, Form(max_length=63)] = "",
    projects: Annotated[str, Form(max_length=4000)] = "",
    message: Annotated[str, Form(max_length=1_000_000)] = "",
    mount: Annotated[bool, Form()] = False,
) -> StreamingResponse:
    """Make a session, and tell in lines of JSON what goes on; at last its name, or why there is none.

    It goes on when the browser leaves.
    """
    form = NewSession(
        title=title.strip() or message.strip().split("\n")[0][:60],
        agent=agent or None,
        projects=[line.strip() for line in projects.splitlines() if line.strip()],
        mount=mount,
    )
    progress = Progress()
    progress.work(_make(parts, asking, form, key, message, progress))

    async def told() -> AsyncIterator[bytes]:
        async for line in progress.lines(parts.hub.closing):
            yield json.dumps(line, ensure_ascii=False).encode() + b"\n"

    return StreamingResponse(told(), media_type=LINES, headers=NO_STORE | {"x-accel-buffering": "no"})


async def _make(
    parts: Parts, asking: Caller, form: NewSession, key: str, message: str, progress: Progress
) -> dict[str, Any]:
    """Make the session and give it its first message; return what the browser is told at last."""
    try:
        chosen = await user_agents.chosen(parts.database, parts.settings, asking, form.agent)
        wanted = sessions.Wanted(
            title=form.title or "", name=None, agent=chosen, projects=tuple(form.projects),
            mount=form.mount, auto_approve=False, key=key,
        )  # fmt: skip
        progress.tell("Making the session")
        session, made = await parts.threads.run(
            lambda: sessions.create(parts.engine, parts.installation, asking, wanted, progress.from_thread)
        )
        if message.strip() and made:
            progress.tell("Giving the agent your message")
            await begin_turn(parts, asking, session.name, Chat(prompt=message, when_busy="queue"))
    except AgentSessionError as error:
        return {"error": error.message, "hints": [hint.command() for hint in error.hints]}
    return {"session": session.name}
