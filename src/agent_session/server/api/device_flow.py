"""GitHub's device flow in the words of the documents: /auth/device and /auth/device/poll."""

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from agent_session.errors import NotFoundError
from agent_session.server import agents
from agent_session.server.agent_logins import ways
from agent_session.server.agent_logins.errors import LoginDenied, LoginExpired, LoginFailed
from agent_session.server.agent_logins.login import Login
from agent_session.server.api.agent_shapes import DeviceCode, DevicePoll, DevicePolled
from agent_session.server.api.agents import NOT_THERE, REFUSED, _check_whole, _kind, shape
from agent_session.server.auth.authentication import Agents
from agent_session.server.database.models import Agent
from agent_session.server.parts import OfServer

router = APIRouter(prefix="/auth/device", tags=["agents"], responses=REFUSED)
PENDING: dict[int | str, dict[str, Any]] = {202: {"model": DevicePolled}}
KIND = "opencode"
"""What an agent of these documents is."""
WAIT_SECONDS = 20.0


@router.get("")
async def begin_device_login(asking: Agents, parts: OfServer) -> DeviceCode:
    """Begin a login with GitHub: what to type there, and where. The server waits for the answer itself."""
    _check_whole(asking)
    login = parts.logins.begin_without_agent(
        asking.user, ways.of_github(parts.settings, await _kind(parts, KIND))
    )
    async with asyncio.timeout(WAIT_SECONDS):
        await login.told.wait()
    if login.over:
        raise _failure(login)
    return DeviceCode(
        device_code=login.device_code, user_code=login.user_code, verification_uri=login.url,
        expires_in=login.seconds_left(), interval=int(login.interval),
    )  # fmt: skip


@router.post("/poll", response_model=DevicePolled, responses=NOT_THERE | PENDING)
async def poll_device_login(said: DevicePoll, asking: Agents, parts: OfServer) -> Any:
    """Tell at once how a login with GitHub stands: 202 while it is pending, then its agent."""
    _check_whole(asking)
    login = parts.logins.of_device(asking.user, said.device_code)
    if login is None:
        raise NotFoundError("there is no login with this device code")
    if not login.over:
        return JSONResponse({"status": "pending", "interval": max(1, int(login.interval))}, status_code=202)
    if login.status != "ready":
        raise _failure(login)
    agent = Agent(
        user_id=asking.user, name=said.agent_name, description=said.agent_description, kind=KIND,
        way="github", status="pending",
    )  # fmt: skip
    await agents.add(parts.database, agent)
    result = parts.logins.take(login)
    made = await agents.settle(parts.database, parts.settings, agent.id, "ready", login=result)
    return DevicePolled(status="success", agent=shape(parts, made or agent))


def _failure(login: Login) -> Exception:
    kinds: dict[str, type[Exception]] = {"denied": LoginDenied, "expired": LoginExpired}
    return kinds.get(login.status, LoginFailed)(login.detail)
