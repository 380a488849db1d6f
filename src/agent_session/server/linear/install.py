"""An administrator installs the app in a workspace of Linear's: to its page, and back, in one browser."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from agent_session.server.api.shapes import Message, Problem
from agent_session.server.auth.authentication import allowed
from agent_session.server.errors import Unauthenticated
from agent_session.server.linear import workspaces
from agent_session.server.linear.errors import LinearRefused, NotSetUp
from agent_session.server.parts import OfServer, Parts

ATTEMPT = "agent-session-linear"
SECONDS = 600
router = APIRouter(tags=["linear"], responses={404: {"model": Problem}})


@router.get(
    "/linear/install",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[allowed("admin")],
)
async def install_linear(request: Request, parts: OfServer) -> RedirectResponse:
    """Go to Linear's page, where a workspace's administrator agrees that the app is installed."""
    if not parts.settings.linear.linear_client_id:
        raise NotSetUp
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    url = workspaces.authorization_url(parts, state, verifier, _callback(request, parts))
    answer = RedirectResponse(url, status_code=303, headers={"cache-control": "no-store"})
    secure = parts.settings.secure
    answer.set_cookie(
        _cookie(secure=secure), f"{state}.{verifier}", max_age=SECONDS,
        path="/", secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


@router.get("/linear/callback", dependencies=[allowed("admin")], responses={401: {}, 502: {}})
async def end_linear_install(
    request: Request,
    parts: OfServer,
    code: Annotated[str, Query(max_length=500)] = "",
    state: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Message:
    """Come back from Linear's page, and keep the workspace's tokens, encrypted."""
    if not parts.settings.linear.linear_client_id:
        raise NotSetUp
    kept, _, verifier = request.cookies.get(_cookie(secure=parts.settings.secure), "").partition(".")
    if not kept or not secrets.compare_digest(kept.encode(), state.encode()):
        raise Unauthenticated("this browser has not begun an installation, or more than ten minutes ago")
    if error or not code:
        raise LinearRefused(error or "it sent no code")
    found = await workspaces.install(parts, code, verifier, _callback(request, parts))
    return Message(message=f"Installed in the workspace {found.name}")


def _cookie(*, secure: bool) -> str:
    return f"__Host-{ATTEMPT}" if secure else ATTEMPT


def _callback(request: Request, parts: Parts) -> str:
    """The address to which Linear sends people back."""
    base = parts.settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.headers['host']}"
    return f"{base}/linear/callback"
