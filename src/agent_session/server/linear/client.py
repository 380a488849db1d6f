"""Asks Linear's GraphQL API, within its rate limits and our own budget."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from agent_session.server.linear import workspaces
from agent_session.server.linear.errors import LinearFailed, LinearRefused, Revoked

if TYPE_CHECKING:
    import httpx2

    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")
SECONDS = 15.0
RESERVE = {"requests": 20, "complexity": 10000}
"""What of a rate limit is left for people: with less, we wait for its reset."""
LATER = {"RATELIMITED", "INTERNAL_SERVER_ERROR", "INTERNAL_ERROR"}


async def ask(parts: "Parts", organization: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Return what an operation gives. Raises LinearFailed (later), LinearRefused (never), Revoked."""
    _within_limits(parts, organization)
    try:
        token = await workspaces.token(parts, organization)
        return await post(parts, organization, token, query, variables)
    except Revoked:
        token = await workspaces.token(parts, organization, renew=True)
        return await post(parts, organization, token, query, variables)


async def post(
    parts: "Parts", organization: str, token: str, query: str, variables: dict[str, Any]
) -> dict[str, Any]:
    """Send one operation with a token; raises as `ask`."""
    import httpx2  # only who talks with Linear pays for it

    choices = parts.settings.linear
    plain = token == choices.linear_api_key.get_secret_value()  # API keys are sent without a word before
    headers = {"authorization": token if plain else f"Bearer {token}"}
    _count(parts)
    try:
        async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
            answer = await client.post(
                f"{choices.linear_api_url.rstrip('/')}/graphql",
                json={"query": query, "variables": variables},
                headers=headers,
            )
    except httpx2.HTTPError as error:
        raise LinearFailed(str(error) or type(error).__name__) from error
    _heed(parts, organization, answer)
    return _data(parts, organization, answer)


def _data(parts: "Parts", organization: str, answer: "httpx2.Response") -> dict[str, Any]:
    if answer.status_code == 401:
        raise Revoked
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise LinearFailed(f"its answer was {answer.status_code}")
    # errors come with status 200, and a limit that is used up with 400
    if errors := told.get("errors"):
        raise _error(parts, organization, errors, answer)
    data = told.get("data")
    if answer.status_code >= 400 or not isinstance(data, dict):
        raise LinearFailed(f"its answer was {answer.status_code}")
    for name, found in data.items():
        if isinstance(found, dict) and found.get("success") is False:
            raise LinearRefused(f"{name} was not successful")
    return data


def _error(
    parts: "Parts", organization: str, errors: Any, answer: "httpx2.Response"
) -> LinearFailed | LinearRefused:
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    more: dict[str, Any] = first.get("extensions") or {}
    code = str(more.get("code", ""))
    words = str(more.get("userPresentableMessage") or first.get("message") or "it does not say why")[:300]
    if code == "AUTHENTICATION_ERROR":
        return Revoked()
    if code in LATER or (answer.status_code >= 500 and not more.get("userError")):
        pause = parts.linear.paused.get(organization)
        seconds = (pause - parts.linear.now()).total_seconds() if pause else 0.0
        return LinearFailed(words, seconds=max(seconds, 60.0 if code == "RATELIMITED" else 0.0))
    return LinearRefused(words, kind=code)


def _within_limits(parts: "Parts", organization: str) -> None:
    now = parts.linear.now()
    until = parts.linear.paused.get(organization)
    if until and until > now:
        raise LinearFailed("its rate limit is used up", seconds=(until - now).total_seconds())
    recent = [moment for moment in parts.linear.requests if moment > now - timedelta(hours=1)]
    parts.linear.requests[:] = recent
    most = parts.settings.linear.linear_requests_per_hour
    if len(recent) >= most:
        again = (recent[0] + timedelta(hours=1) - now).total_seconds()
        raise LinearFailed(f"our budget of {most} requests an hour is used up", seconds=again)


def _count(parts: "Parts") -> None:
    parts.linear.requests.append(parts.linear.now())


def _heed(parts: "Parts", organization: str, answer: "httpx2.Response") -> None:
    """Leave the workspace in peace until a limit's reset, where little of it remains."""
    for kind, least in RESERVE.items():
        prefix = f"x-ratelimit-{kind}" if kind == "requests" else "x-complexity"
        try:
            left = int(answer.headers[f"{prefix}-remaining"])
            reset = datetime.fromtimestamp(int(answer.headers[f"{prefix}-reset"]) / 1000, UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            continue
        if left < least and reset > parts.linear.now():
            parts.linear.paused[organization] = min(reset, parts.linear.now() + timedelta(hours=1))
            LOG.warning("Linear's rate limit is nearly used up", kind=kind, until=reset.isoformat())
