"""Agents in the settings: made with a login that is followed to its end, logged in again, removed."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from agent_session.errors import UsageError
from agent_session.server.api import agents
from agent_session.server.api.agent_shapes import AgentChange, Code, NewAgent, NewLogin
from agent_session.server.auth.authentication import Agents
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web.pages import piece

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Word = Annotated[str, Form(max_length=10_000)]


async def of_caller(asking: Caller, parts: Parts) -> dict[str, Any]:
    """Return what the settings show of the caller's agents."""
    known = await agents.list_agents(asking, parts)
    return {"agents": known, "pending": any(one.login.status == "pending" for one in known)}


async def kinds(parts: Parts) -> list[str]:
    """Return the agents that can be talked to."""
    known = await parts.threads.run(parts.installation.agents)
    return sorted(name for name in known if name != "shell")


@router.get("/page/agents")
async def listed(asking: Agents, parts: OfServer) -> HTMLResponse:
    """Show the caller's agents, as their logins stand now."""
    return piece("agents.html", **await of_caller(asking, parts))


@router.post("/page/agents")
async def create(
    asking: Agents,
    parts: OfServer,
    name: Word = "",
    description: Word = "",
    kind: Word = "",
    way: Word = "",
    provider: Word = "",
    key: Word = "",
) -> HTMLResponse:
    """Make an agent, and show how its login stands."""
    login = _login(way, provider, key)
    try:
        wanted = NewAgent(name=name.strip(), description=description or None, kind=kind or None, login=login)
    except ValidationError:
        raise UsageError("an agent needs a name, of 100 characters at most") from None
    await agents.create_agent(wanted, asking, parts)
    return await listed(asking, parts)


@router.post("/page/agents/{agent_id}/name")
async def rename(
    agent_id: Number, asking: Agents, parts: OfServer, name: Word = "", description: Word = ""
) -> HTMLResponse:
    """Give an agent another name and description."""
    try:
        change = AgentChange(name=name.strip(), description=description.strip() or None)
    except ValidationError:
        raise UsageError("an agent needs a name, of 100 characters at most") from None
    await agents.update_agent(agent_id, change, asking, parts)
    return await listed(asking, parts)


@router.post("/page/agents/{agent_id}/login")
async def log_in_again(
    agent_id: Number,
    asking: Agents,
    parts: OfServer,
    way: Word = "agent",
    provider: Word = "",
    key: Word = "",
) -> HTMLResponse:
    """Begin an agent's login anew."""
    await agents.log_in_agent(agent_id, _login(way, provider, key) or NewLogin(way="agent"), asking, parts)
    return await listed(asking, parts)


@router.post("/page/agents/{agent_id}/code")
async def give_code(agent_id: Number, asking: Agents, parts: OfServer, code: Word = "") -> HTMLResponse:
    """Give back what the page of a pending login showed."""
    await agents.give_code(agent_id, Code.model_validate({"code": code.strip() or " "}), asking, parts)
    return await listed(asking, parts)


@router.delete("/page/agents/{agent_id}")
async def remove(agent_id: Number, asking: Agents, parts: OfServer) -> HTMLResponse:
    """Remove an agent and its login."""
    await agents.delete_agent(agent_id, asking, parts)
    return await listed(asking, parts)


def _login(way: str, provider: str, key: str) -> NewLogin | None:
    """Return the login that a form asks for; None for the usual one."""
    if not way:
        return None
    words = {"way": way, "provider": provider.strip() or None if way == "agent" else None}
    try:
        return NewLogin.model_validate(words | ({"key": key.strip()} if way == "key" and key.strip() else {}))
    except ValidationError:
        raise UsageError(f"that is no login: {way}, {provider}") from None
