"""Logins with GitHub: OAuth with PKCE; the token is used to ask who somebody is, and then forgotten."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from agent_session.errors import AgentServerError, Hint
from agent_session.server import team
from agent_session.server.errors import Unauthenticated
from agent_session.server.settings import Settings

if TYPE_CHECKING:
    import httpx2

SECONDS = 15
JSON = {"accept": "application/json"}


class GitHubFailed(AgentServerError):
    """GitHub did not answer, or with something that is not an answer."""

    code = "github-failed"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"GitHub could not be asked who you are: {reason}", hint=Hint(shell="GET /auth/login")
        )


class NotAllowed(Unauthenticated):
    """Somebody whom no list of the server names."""

    code = "not-allowed"

    def __init__(self, login: str) -> None:
        super().__init__(
            f"'{login}' may not log in here; its administrator allows users, organisations, teams"
        )


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody as GitHub knows them. The number is theirs for good; a name can be given to others."""

    number: int
    login: str
    email: str | None
    avatar_url: str | None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One login that a browser has begun; its cookie holds these words, and no other browser has them."""

    state: str
    verifier: str

    @property
    def cookie(self) -> str:
        """What the browser keeps until it comes back."""
        return f"{self.state}.{self.verifier}"

    @classmethod
    def of_cookie(cls, cookie: str) -> "Attempt":
        """Read the cookie. Unauthenticated for any other text."""
        state, dot, verifier = cookie.partition(".")
        if not (state and dot and verifier):
            raise Unauthenticated("this browser has not begun a login, or more than ten minutes ago")
        return cls(state=state, verifier=verifier)


def begin() -> Attempt:
    """Begin a login."""
    return Attempt(state=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48))


def authorization_url(settings: Settings, attempt: Attempt, callback: str) -> str:
    """Return the page at GitHub where a person agrees to the login."""
    digest = hashlib.sha256(attempt.verifier.encode()).digest()
    memberships = settings.allowed_organizations or settings.allowed_teams
    query = {
        "client_id": settings.github_client_id,
        "redirect_uri": callback,
        "scope": "read:user user:email" + (" read:org" if memberships else ""),
        "state": attempt.state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "allow_signup": "true",
    }
    return f"{settings.github_url.rstrip('/')}/login/oauth/authorize?{urlencode(query)}"


def api_url(github_url: str) -> str:
    """Return the API of a GitHub: of github.com, of a tenant of ghe.com, or of an Enterprise Server."""
    address = urlsplit(github_url.rstrip("/"))
    if address.hostname == "github.com" or (address.hostname or "").endswith(".ghe.com"):
        return f"{address.scheme}://api.{address.netloc}"
    return f"{github_url.rstrip('/')}/api/v3"


async def log_in(settings: Settings, attempt: Attempt, *, state: str, code: str, callback: str) -> Person:
    """Return who has come back from GitHub. Raises Unauthenticated, NotAllowed, GitHubFailed."""
    if not secrets.compare_digest(state.encode(), attempt.state.encode()):
        raise Unauthenticated("this login was begun in another browser")
    import httpx2  # only who logs in with GitHub pays for it

    try:
        async with httpx2.AsyncClient(timeout=SECONDS, headers=JSON, follow_redirects=False) as client:
            token = await _exchange(client, settings, attempt, code=code, callback=callback)
            client.headers["authorization"] = f"Bearer {token}"
            person = await _person(client, api_url(settings.github_url))
            if not await _is_allowed(client, settings, person):
                raise NotAllowed(person.login)
            return person
    except httpx2.HTTPError as error:
        raise GitHubFailed(str(error) or type(error).__name__) from error


async def _exchange(
    client: "httpx2.AsyncClient", settings: Settings, attempt: Attempt, *, code: str, callback: str
) -> str:
    told = _object(
        await client.post(
            f"{settings.github_url.rstrip('/')}/login/oauth/access_token",
            data={
                "client_id": settings.github_client_id,
                "client_secret": settings.github_client_secret.get_secret_value(),
                "code": code,
                "redirect_uri": callback,
                "code_verifier": attempt.verifier,
            },
        )
    )
    token = told.get("access_token")
    if not isinstance(token, str) or not token:
        reason = told.get("error")
        if reason in {"bad_verification_code", "redirect_uri_mismatch"}:
            raise Unauthenticated("GitHub does not know this login (any more); begin again")
        raise GitHubFailed(str(reason or "it gave no token")[:200])
    return token


async def _person(client: "httpx2.AsyncClient", api: str) -> Person:
    told = _object(await client.get(f"{api}/user"))
    number, login = told.get("id"), told.get("login")
    if not isinstance(number, int) or not isinstance(login, str) or not login:
        raise GitHubFailed("it did not say who you are")
    email, avatar = told.get("email"), told.get("avatar_url")
    return Person(
        number=number,
        login=login,
        email=email if isinstance(email, str) else None,
        avatar_url=avatar if isinstance(avatar, str) else None,
    )


async def _is_allowed(client: "httpx2.AsyncClient", settings: Settings, person: Person) -> bool:
    """Say whether one of the server's lists has them; membership that is only offered does not count."""
    named = f"{settings.allowed_users},{settings.admins}"
    if team.is_listed(named, login=person.login, number=person.number):
        return True
    api = api_url(settings.github_url)
    places = [
        f"{api}/user/memberships/orgs/{quote(one, safe='')}"
        for one in sorted(team.listed(settings.allowed_organizations))
    ]
    for one in sorted(team.listed(settings.allowed_teams)):
        organization, _, group = one.partition("/")
        places.append(
            f"{api}/orgs/{quote(organization, safe='')}/teams/{quote(group, safe='')}"
            f"/memberships/{quote(person.login, safe='')}"
        )
    for place in places:
        answer = await client.get(place)
        if answer.status_code == 200 and _object(answer).get("state") == "active":
            return True
        if answer.status_code not in {200, 403, 404}:
            raise GitHubFailed(f"its answer about a membership was {answer.status_code}")
    return False


def _object(answer: "httpx2.Response") -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if answer.status_code >= 400 or not isinstance(told, dict):
        raise GitHubFailed(f"its answer was {answer.status_code}")
    return told
