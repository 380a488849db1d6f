"""Agents of the caller: which agent runs, with which login and model."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from agent_session.agents import catalog
from agent_session.errors import ConflictError, UsageError
from agent_session.server import agents
from agent_session.server.agent_logins import logins, ways
from agent_session.server.api.agent_shapes import (
    AgentChange,
    AgentShape,
    Code,
    LoginShape,
    NewAgent,
    NewLogin,
)
from agent_session.server.api.shapes import Message, Problem
from agent_session.server.auth.authentication import Agents
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import Agent
from agent_session.server.parts import OfServer, Parts

router = APIRouter(prefix="/api/agents", tags=["agents"])
NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
REFUSED: dict[int | str, dict[str, Any]] = {400: {"model": Problem}, 409: {"model": Problem}}
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("")
async def list_agents(asking: Agents, parts: OfServer) -> list[AgentShape]:
    """List your agents with their logins' states; never the logins."""
    async with parts.database.transaction() as session:
        return [shape(parts, one) for one in await agents.of_user(session, asking)]


@router.post("", status_code=201, responses=NOT_THERE | REFUSED)
async def create_agent(new: NewAgent, asking: Agents, parts: OfServer) -> AgentShape:
    """Make an agent and begin its login, which `GET /api/agents/ID` and the events tell of.

    Without `login` it is this machine's, where that is yours and there is one, else the agent's own.
    """
    _check_whole(asking)
    kind = await _kind(parts, new.kind)
    login = new.login or await _usual(parts, kind, asking.owner)
    begun = _begun(parts, kind, login, asking.owner)
    agent = Agent(
        user_id=asking.user, name=new.name, description=new.description, kind=kind.name, model=new.model,
        way=login.way, provider=login.provider, status="pending",
    )  # fmt: skip
    await agents.add(parts.database, agent)
    return await _settled(parts, agent, asking.owner, begun)


@router.get("/{agent_id}", responses=NOT_THERE)
async def get_agent(agent_id: Number, asking: Agents, parts: OfServer) -> AgentShape:
    """Tell about one agent, and how its login stands."""
    async with parts.database.transaction() as session:
        return shape(parts, await agents.get(session, asking, agent_id))


@router.patch("/{agent_id}", responses=NOT_THERE | REFUSED)
async def update_agent(agent_id: Number, change: AgentChange, asking: Agents, parts: OfServer) -> AgentShape:
    """Change an agent's name, description or default model; its sessions have them from their making on."""
    _check_whole(asking)
    values = change.model_dump(exclude_unset=True)
    async with parts.database.transaction() as session:
        agent = await agents.get(session, asking, agent_id)
        others = {one.name for one in await agents.of_user(session, asking) if one.id != agent_id}
        if values.get("name") in others:
            raise ConflictError(f"you have an agent {values['name']!r} already")
        for name, value in values.items():
            if value is not None or name != "name":
                setattr(agent, name, value)
    return shape(parts, agent)


@router.delete("/{agent_id}", responses=NOT_THERE | REFUSED)
async def delete_agent(agent_id: Number, asking: Agents, parts: OfServer) -> Message:
    """Remove an agent and its login; its sessions stay, with the login that they have until they stop."""
    _check_whole(asking)
    async with parts.database.transaction() as session:
        await session.delete(await agents.get(session, asking, agent_id))
    await parts.logins.cancel(agent_id)
    return Message(message="Agent deleted successfully")


@router.post("/{agent_id}/login", responses=NOT_THERE | REFUSED)
async def log_in_agent(agent_id: Number, new: NewLogin, asking: Agents, parts: OfServer) -> AgentShape:
    """Begin a login anew; until it is ready the agent's sessions have the one before."""
    _check_whole(asking)
    async with parts.database.transaction() as session:
        agent = await agents.get(session, asking, agent_id)
        begun = _begun(parts, await _kind(parts, agent.kind), new, asking.owner)
        agent.way, agent.provider = new.way, new.provider
    return await _settled(parts, agent, asking.owner, begun)


@router.post("/{agent_id}/code", responses=NOT_THERE | REFUSED)
async def give_code(agent_id: Number, said: Code, asking: Agents, parts: OfServer) -> Message:
    """Give back what the page of a pending login showed, where it `needs_code`."""
    _check_whole(asking)
    async with parts.database.transaction() as session:
        await agents.get(session, asking, agent_id)
    code = said.code.get_secret_value().strip()
    if not code or not code.isprintable():
        raise UsageError("that is no code: it is empty, or has control characters in it")
    parts.logins.give_code(agent_id, code)
    return Message(message="Code taken")


def shape(parts: Parts, agent: Agent) -> AgentShape:
    """Return an agent as the API tells it."""
    running = parts.logins.of(agent.id)
    if running and not running.over:
        login = LoginShape(**logins.told(agent.way, running))
    else:
        login = LoginShape(way=agent.way, status=agent.status, detail=agent.detail)  # type: ignore[arg-type]
    return AgentShape(
        id=agent.id, name=agent.name, description=agent.description, kind=agent.kind, model=agent.model,
        created_at=agent.created_at, last_used=agent.last_used, login=login,
    )  # fmt: skip


def _begun(parts: Parts, kind: catalog.Agent, new: NewLogin, owner: str) -> Any:
    """Return what a login begins with: a way, or the login itself, or None for this machine's. NoSuchWay."""
    match new.way:
        case "machine":
            ways.check_machine(kind, owner)
            return None
        case "key":
            if new.key is None:
                raise UsageError("a login by key needs the key")
            return ways.with_key(kind, new.variable, new.key.get_secret_value())
        case "github":
            return ways.of_github(parts.settings, kind)
        case _:
            return ways.of_agent(parts.engine, parts.installation, kind, new.provider, new.enterprise_url)


async def _settled(parts: Parts, agent: Agent, owner: str, begun: Any) -> AgentShape:
    if callable(begun):
        await parts.logins.begin(agent, owner, begun)
        return shape(parts, agent)
    await parts.logins.cancel(agent.id)
    settled = await agents.settle(parts.database, parts.settings, agent.id, "ready", login=begun)
    if settled and parts.logins.on_ready and begun:
        await parts.logins.on_ready(settled)
    return shape(parts, settled or agent)


async def _kind(parts: Parts, name: str | None) -> catalog.Agent:
    """Return the agent's folder of that name. AgentNotFound."""
    known = await parts.threads.run(parts.installation.agents)
    return catalog.choose(known, name or ("opencode" if "opencode" in known else next(iter(known), "")))


async def _usual(parts: Parts, kind: catalog.Agent, owner: str) -> NewLogin:
    environment = parts.installation.environment
    way = await parts.threads.run(lambda: ways.usual(parts.engine, kind, environment, owner=owner))
    return NewLogin.model_validate({"way": way})


def _check_whole(asking: Caller) -> None:
    """Refuse a token that is for one session alone. UsageError."""
    if asking.session is not None:
        raise UsageError(f"your token is for the session '{asking.session}' alone")
