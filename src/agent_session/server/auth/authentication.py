"""Requests say who makes them, by a browser's cookie or an API token.

An endpoint says which scope it needs.
"""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Request, Security, WebSocket
from fastapi.security import APIKeyCookie, HTTPBearer, SecurityScopes
from fastapi.security.http import HTTPAuthorizationCredentials

from agent_session.server.auth import devices, people, tokens, users
from agent_session.server.auth.scopes import Caller, of_user
from agent_session.server.database.models import User
from agent_session.server.errors import Forbidden, Unauthenticated
from agent_session.server.parts import Parts, parts_of

COOKIE = "agent-session"
TOKEN = HTTPBearer(
    auto_error=False, scheme_name="token", description="An API token: agent-session token create"
)
BROWSER = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="cookie", description="A browser's login.")


async def caller(
    request: Request,
    needed: SecurityScopes,
    parts: Annotated[Parts, Depends(parts_of)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(TOKEN)],
    cookie: Annotated[str | None, Depends(BROWSER)],
) -> Caller:
    """Say who makes the request. Raises Unauthenticated, and Forbidden where a scope is lacking."""
    name = cookie_name(secure=parts.settings.secure)
    cookie = request.cookies.get(name) if name != COOKIE else cookie
    if "authorization" in request.headers:
        found = await _by_token(parts, bearer.credentials) if bearer else None
    else:
        found = await _by_cookie(parts, cookie) if cookie else None
    if found is None:
        raise Unauthenticated
    request.state.caller = found
    for scope in needed.scopes:
        if scope not in found.scopes:
            raise Forbidden(scope)
    return found


async def of_socket(socket: WebSocket, parts: Parts) -> Caller:
    """Say who opens a socket. Raises Unauthenticated."""
    way, _, word = socket.headers.get("authorization", "").partition(" ")
    if way.lower() == "bearer":
        found = await _by_token(parts, word)
    else:
        cookie = socket.cookies.get(cookie_name(secure=parts.settings.secure))
        found = await _by_cookie(parts, cookie) if cookie else None
    if found is None:
        raise Unauthenticated
    return found


def cookie_name(*, secure: bool) -> str:
    """Return the cookie's name; with the prefix, browsers take it from this very host over TLS alone."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def allowed(scope: str) -> Any:
    """Return the dependency of an endpoint that needs a scope."""
    return Security(caller, scopes=[scope])


Asking = Annotated[Caller, Security(caller)]
"""Whoever is logged in."""
Agents = Annotated[Caller, Security(caller, scopes=["agents"])]
Manager = Annotated[Caller, Security(caller, scopes=["tokens"])]
Reader = Annotated[Caller, Security(caller, scopes=["sessions:read"])]
Writer = Annotated[Caller, Security(caller, scopes=["sessions:write"])]
Terminal = Annotated[Caller, Security(caller, scopes=["terminal"])]
Deleter = Annotated[Caller, Security(caller, scopes=["sessions:delete"])]


async def _by_token(parts: Parts, word: str) -> Caller | None:
    async with parts.database.transaction() as session:
        found = await tokens.find(session, word)
        if found is None:
            return None
        token, user = found
        if not people.is_confirmed(parts.settings, user):
            return None
        owner = _caller(user, f"token {token.name}")
        return replace(owner, scopes=owner.scopes & frozenset(token.scopes), session=token.session)


async def _by_cookie(parts: Parts, word: str) -> Caller | None:
    async with parts.database.transaction() as session:
        found = await devices.find(session, word)
        if found is None:
            return None
        device, user = found
        if not people.is_confirmed(parts.settings, user):
            return None
        return replace(_caller(user, f"device {device.id}"), device=device.id)


def _caller(user: User, way: str) -> Caller:
    """Describe a user with all that he or she may do, and how the login was shown."""
    return Caller(
        user=user.id,
        login=user.login,
        scopes=of_user(is_admin=user.is_admin),
        way=way,
        owner=users.owner(user),
    )
