"""Browsers log in by a link, and out again; who is asking, and on which devices."""

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import Hint, NotFoundError
from agent_session.server.api.shapes import Device, Me, Message
from agent_session.server.auth import devices, login_links
from agent_session.server.auth.authentication import Asking, cookie_name
from agent_session.server.database.models import User
from agent_session.server.errors import Unauthenticated
from agent_session.server.parts import OfServer, Parts

router = APIRouter(tags=["logins"])


@router.get("/login", status_code=303, response_class=RedirectResponse, responses={401: {}, 429: {}})
async def login(
    request: Request, parts: OfServer, token: Annotated[str, Query(min_length=1, max_length=200)]
) -> RedirectResponse:
    """Log a browser in by a link that `agent-session serve` printed, which is used up by that."""
    address = request.client.host if request.client else ""
    parts.guesses.check(address)
    answer = RedirectResponse("/", status_code=303, headers={"cache-control": "no-store"})
    try:
        async with parts.database.transaction() as session:
            user = await login_links.use(session, token)
            await log_browser_in(request, parts, session, user, answer)
    except Unauthenticated:
        parts.guesses.failed(address)
        raise
    return answer


async def log_browser_in(
    request: Request, parts: Parts, session: AsyncSession, user: User, answer: Response
) -> None:
    """Log the browser that asks in, and give it its cookie."""
    address = request.client.host if request.client else ""
    browser = request.headers.get("user-agent", "")
    cookie = await devices.log_in(session, user, browser=browser, address=address)
    secure = parts.settings.secure
    answer.set_cookie(
        cookie_name(secure=secure), cookie, max_age=int(devices.VALID / timedelta(seconds=1)),
        path="/", secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip


@router.get("/auth/me")
async def me(asking: Asking, parts: OfServer) -> Me:
    """Tell who is asking."""
    async with parts.database.transaction() as session:
        user = await session.get(User, asking.user)
    if user is None:
        raise Unauthenticated
    return Me(
        id=str(user.id),
        github_login=user.login,
        github_id=None if user.github_id is None else str(user.github_id),
        email=user.email,
        avatar_url=user.avatar_url,
        created_at=user.created_at,
        last_login=user.last_login,
        is_active=user.is_active,
        scopes=sorted(asking.scopes),
    )


@router.get("/auth/logout", name="logout_by_link")
@router.post("/auth/logout")
async def logout(asking: Asking, parts: OfServer, response: Response) -> Message:
    """Log this browser out."""
    if asking.device:
        async with parts.database.transaction() as session:
            await devices.log_out(session, asking.user, asking.device)
    response.delete_cookie(cookie_name(secure=parts.settings.secure), path="/", secure=parts.settings.secure)
    return Message(message="Logged out successfully")


@router.get("/api/devices")
async def list_devices(asking: Asking, parts: OfServer) -> list[Device]:
    """List the browsers that are logged in as you."""
    async with parts.database.transaction() as session:
        found = await devices.of_user(session, asking.user)
    return [
        Device(
            id=str(device.id),
            browser=device.browser,
            address=device.address,
            created_at=device.created_at,
            last_used=device.last_used,
            expires_at=device.expires_at,
            current=device.id == asking.device,
        )
        for device in found
    ]


@router.delete("/api/devices/{id}")
async def log_device_out(id: uuid.UUID, asking: Asking, parts: OfServer) -> Message:
    """Log one of your browsers out; its cookie is refused from now on."""
    async with parts.database.transaction() as session:
        if not await devices.log_out(session, asking.user, id):
            raise NotFoundError("there is no such device", hint=Hint(shell="GET /api/devices"))
    return Message(message="Logged out successfully")
