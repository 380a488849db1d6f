"""The settings of whoever is logged in: devices, tokens, the theme."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from agent_session.errors import UsageError
from agent_session.server.api import logins, tokens
from agent_session.server.api.shapes import NewToken
from agent_session.server.auth.authentication import Asking, Manager
from agent_session.server.auth.scopes import SCOPES
from agent_session.server.parts import OfServer
from agent_session.server.web import agents_page
from agent_session.server.web.pages import page, piece

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
EXPIRIES = {"1d": "one day", "30d": "30 days", "52w": "one year", "never": "it does not end"}


@router.get("/settings")
async def settings(asking: Asking, parts: OfServer) -> HTMLResponse:
    """Show the settings."""
    known = await tokens.list_tokens(asking, parts) if "tokens" in asking.scopes else []
    values: dict[str, Any] = {
        "devices": await logins.list_devices(asking, parts),
        "tokens": known,
        "made": None,
    }
    if "agents" in asking.scopes:
        values |= await agents_page.of_caller(asking, parts) | {"kinds": await agents_page.kinds(parts)}
    choices = [scope for scope in SCOPES if scope in asking.scopes]
    return page("settings.html", asking, choices=choices, expiries=EXPIRIES, **values)


@router.delete("/page/devices/{id}")
async def log_device_out(id: uuid.UUID, asking: Asking, parts: OfServer) -> HTMLResponse:
    """Log a browser out, and show the others."""
    await logins.log_device_out(id, asking, parts)
    return piece("devices.html", devices=await logins.list_devices(asking, parts))


@router.post("/page/tokens")
async def create_token(
    asking: Manager,
    parts: OfServer,
    name: Annotated[str, Form(max_length=100)] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    expires: Annotated[str, Form(max_length=10)] = "30d",
) -> HTMLResponse:
    """Make a token, and show its word, this once."""
    try:
        wanted = NewToken.model_validate({"name": name.strip(), "scopes": scopes or [], "expires": expires})
    except ValidationError:
        raise UsageError("a token needs a name and at least one scope") from None
    made = await tokens.create_token(wanted, asking, parts)
    return piece("tokens.html", tokens=await tokens.list_tokens(asking, parts), made=made)


@router.delete("/page/tokens/{token_name}")
async def remove_token(token_name: str, asking: Manager, parts: OfServer) -> HTMLResponse:
    """Remove a token, and show the others."""
    await tokens.remove_token(token_name, asking, parts)
    return piece("tokens.html", tokens=await tokens.list_tokens(asking, parts), made=None)


@router.post("/page/sign-out")
async def sign_out(asking: Asking, parts: OfServer) -> Response:
    """Log this browser out, and show that."""
    answer = RedirectResponse("/", status_code=303)
    await logins.logout(asking, parts, answer)
    return answer
