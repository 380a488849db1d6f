"""Workspaces that have the app, and their tokens: of OAuth (actor=app), of the app itself, or given."""

import asyncio
import base64
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server import keys
from agent_session.server.linear import operations
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import LinearFailed, LinearRefused, NotSetUp, Revoked
from agent_session.server.linear.tables import Workspace

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

EARLY = timedelta(minutes=5)
"""How long before its end a token is renewed."""
SECONDS = 15.0
SCOPES = "read,write,app:assignable,app:mentionable"
REFUSALS = {"invalid_grant", "invalid_client", "unauthorized_client", "invalid_token"}


async def token(parts: "Parts", organization: str, *, renew: bool = False) -> str:
    """Return a workspace's token, renewed where it ends soon. Revoked, NotSetUp, LinearFailed."""
    lock = parts.linear.tokens.setdefault(organization, asyncio.Lock())
    async with lock:
        async with changing(parts) as db:
            found = await db.get(Workspace, organization)
        if found is None:
            found = await connect(parts)
            if found.organization != organization:
                raise NotSetUp("that workspace has not installed the app")
        if found.status != "ready":
            raise Revoked
        ends = found.expires_at
        if renew or (ends and ends - EARLY <= parts.linear.now()):
            found = await _renewed(parts, found)
        return keys.decrypt(parts.settings, found.access_token or "")


async def connect(parts: "Parts") -> Workspace:
    """Reach the workspace of a given token, or of the app's own (client_credentials), and keep it."""
    choices = parts.settings.linear
    if choices.token:
        way, told = "token", {"access_token": choices.token}
    elif choices.linear_client_id:
        way, told = "client", await _ask(parts, _of_client(parts))
    else:
        raise NotSetUp
    return await keep(parts, way, told)


async def keep(parts: "Parts", way: str, told: dict[str, Any]) -> Workspace:
    """Ask whose a new token is, and keep it, encrypted."""
    from agent_session.server.linear import client

    word = str(told.get("access_token") or "")
    viewer = (await client.post(parts, "", word, operations.VIEWER, {}))["viewer"]
    place = viewer["organization"]
    async with changing(parts) as db:
        found = await db.get(Workspace, place["id"])
        if found is None:
            found = Workspace(organization=place["id"], created_at=parts.linear.now())
            db.add(found)
        found.name, found.app_user = str(place.get("name") or "")[:255], viewer["id"]
        found.way, found.status = way, "ready"
        _put(parts, found, told)
        await db.flush()
    return found


async def app_user(db: AsyncSession, parts: "Parts", organization: str) -> str:
    """Return who we are in a workspace. LinearFailed where that is not known yet."""
    if chosen := parts.settings.linear.linear_agent_user_id:
        return chosen
    found = await db.get(Workspace, organization)
    if found is None:
        raise LinearFailed("it was not asked yet who we are there")
    return found.app_user


async def revoke(db: AsyncSession, organization: str) -> None:
    """Forget a workspace's tokens."""
    found = await db.get(Workspace, organization)
    if found is not None:
        found.status, found.access_token, found.refresh_token = "revoked", None, None


def authorization_url(parts: "Parts", state: str, verifier: str, callback: str) -> str:
    """Return the page at Linear where an administrator installs the app in a workspace."""
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": parts.settings.linear.linear_client_id,
        "redirect_uri": callback,
        "response_type": "code",
        "scope": SCOPES,
        "actor": "app",
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return f"{parts.settings.linear.linear_url.rstrip('/')}/oauth/authorize?{urlencode(query)}"


async def install(parts: "Parts", code: str, verifier: str, callback: str) -> Workspace:
    """Exchange the code with which an administrator came back."""
    grant = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
        "code_verifier": verifier,
    }
    return await keep(parts, "oauth", await _ask(parts, grant | _client(parts)))


async def _renewed(parts: "Parts", found: Workspace) -> Workspace:
    if found.way == "token":
        raise Revoked
    if found.way == "client":
        grant = _of_client(parts)
    else:
        word = keys.decrypt(parts.settings, found.refresh_token or "")
        grant = {"grant_type": "refresh_token", "refresh_token": word} | _client(parts)
    try:
        told = await _ask(parts, grant)
    except LinearRefused:
        raise Revoked from None
    async with changing(parts) as db:
        kept = await db.get(Workspace, found.organization)
        if kept is None:
            raise Revoked
        _put(parts, kept, told)
    return kept


def _put(parts: "Parts", found: Workspace, told: dict[str, Any]) -> None:
    found.access_token = keys.encrypt(parts.settings, str(told["access_token"]))
    if told.get("refresh_token"):
        found.refresh_token = keys.encrypt(parts.settings, str(told["refresh_token"]))
    lasts = told.get("expires_in")
    found.expires_at = parts.linear.now() + timedelta(seconds=lasts) if isinstance(lasts, int) else None


def _client(parts: "Parts") -> dict[str, str]:
    choices = parts.settings.linear
    return {
        "client_id": choices.linear_client_id,
        "client_secret": choices.linear_client_secret.get_secret_value(),
    }


def _of_client(parts: "Parts") -> dict[str, str]:
    return {"grant_type": "client_credentials", "scope": SCOPES} | _client(parts)


async def _ask(parts: "Parts", grant: dict[str, str]) -> dict[str, Any]:
    """Ask for a token. LinearRefused where there will be none."""
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
            url = f"{parts.settings.linear.linear_api_url.rstrip('/')}/oauth/token"
            answer = await client.post(url, data=grant)
    except httpx2.HTTPError as error:
        raise LinearFailed(str(error) or type(error).__name__) from error
    try:
        told = answer.json()
    except ValueError:
        told = None
    if isinstance(told, dict) and isinstance(told.get("access_token"), str):
        return told
    reason = str(told.get("error") if isinstance(told, dict) else answer.status_code)[:100]
    if reason in REFUSALS:
        raise LinearRefused(f"it gives no token: {reason}", kind=reason)
    raise LinearFailed(f"it gave no token: {reason}")
