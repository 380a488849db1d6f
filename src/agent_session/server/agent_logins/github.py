"""GitHub's device flow, for agents that take a token of GitHub's (RFC 8628)."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent_session.agents.catalog import Agent
from agent_session.agents.stored_login import StoredLogin
from agent_session.errors import Hint
from agent_session.server.agent_logins.errors import LoginDenied, LoginExpired, LoginFailed, NoSuchWay
from agent_session.server.agent_logins.login import Login
from agent_session.server.settings import Settings

if TYPE_CHECKING:
    import httpx2

SCOPE = "read:user"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SECONDS = 15
LEAST_SECONDS = 0.05
SLOWER_SECONDS = 5
PUBLIC = "https://github.com"


def check(settings: Settings, agent: Agent) -> None:
    """Refuse an agent that takes no such token, and a server without an app at GitHub. NoSuchWay."""
    if not agent.login or not agent.login.github:
        raise NoSuchWay(f"{agent.title} has no login with GitHub", hint=Hint("login", [agent.name]))
    if not settings.github_copilot_client_id:
        raise NoSuchWay(
            "this server has no app at GitHub to ask with: GITHUB_COPILOT_CLIENT_ID is not set",
            hint=Hint(shell='POST /api/agents with "login": {"way": "agent", "provider": "github-copilot"}'),
        )


async def log_in(settings: Settings, agent: Agent, login: Login) -> StoredLogin:
    """Ask for a code, tell it, and wait until the person has typed it at GitHub."""
    import httpx2  # only who logs in so pays for it

    async with httpx2.AsyncClient(timeout=SECONDS, headers={"accept": "application/json"}) as client:
        app = settings.github_copilot_client_id
        asked = await _post(client, settings, "device/code", client_id=app, scope=SCOPE)
        code, seconds = str(asked.get("device_code", "")), float(asked.get("expires_in", 900))
        if not code:
            raise LoginFailed(f"GitHub gives no code: {_words(asked)}")
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        login.device_code, login.interval = code, float(asked.get("interval", 5))
        login.tell(str(asked["verification_uri"]), user_code=str(asked["user_code"]), expires_at=end)
        token = await _token(client, settings, login, end)
    return stored(settings, agent, token)


async def _token(client: "httpx2.AsyncClient", settings: Settings, login: Login, end: datetime) -> str:
    app, code = settings.github_copilot_client_id, login.device_code
    while datetime.now(UTC) < end:
        await asyncio.sleep(max(login.interval, LEAST_SECONDS))
        try:
            told = await _post(
                client, settings, "oauth/access_token", client_id=app, device_code=code, grant_type=GRANT
            )
        except LoginFailed:
            continue  # GitHub does not answer now: that is no answer of the person's
        if token := told.get("access_token"):
            return str(token)
        match told.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                login.interval = float(told.get("interval", login.interval + SLOWER_SECONDS))
            case "access_denied":
                raise LoginDenied("the login was denied at GitHub")
            case "expired_token":
                break
            case _:
                raise LoginFailed(f"GitHub refuses the login: {_words(told)}")
    raise LoginExpired("nobody typed the code at GitHub in time")


async def _post(client: "httpx2.AsyncClient", settings: Settings, where: str, **sent: str) -> dict[str, Any]:
    import httpx2

    try:
        answer = await client.post(f"{settings.github_url.rstrip('/')}/login/{where}", data=sent)
        told = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise LoginFailed(
            f"{settings.github_url} does not answer as GitHub does: {type(error).__name__}"
        ) from error
    return told if isinstance(told, dict) else {}


def stored(settings: Settings, agent: Agent, token: str) -> StoredLogin:
    """The token as the agent's own login would have left it; an entry without `access` is ignored there."""
    assert agent.login
    entry = {"type": "oauth", "refresh": token, "access": token, "expires": 0}
    if settings.github_url.rstrip("/") != PUBLIC:
        entry["enterpriseUrl"] = settings.github_url.partition("://")[2].rstrip("/")
    return StoredLogin(files={agent.login.target: json.dumps({agent.login.github: entry})})


def _words(told: dict[str, Any]) -> str:
    return str(told.get("error_description") or told.get("error") or "no reason")[:300]
