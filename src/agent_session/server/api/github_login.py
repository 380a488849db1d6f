"""People of a team log in with GitHub: to its page, and back, in one and the same browser."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from agent_session.errors import AgentSessionError, Hint, NotFoundError
from agent_session.server.api.logins import log_browser_in
from agent_session.server.api.shapes import Problem
from agent_session.server.auth import github, people
from agent_session.server.parts import OfServer, Parts

ATTEMPT = "agent-session-login"
SECONDS = 600
router = APIRouter(tags=["logins"])


class Beginning(BaseModel):
    """Where a person agrees to the login, and the word with which they come back."""

    authorization_url: str
    state: str


@router.get("/auth/login", responses={303: {}, 404: {"model": Problem}}, response_model=Beginning)
async def begin_github_login(request: Request, parts: OfServer, response: Response) -> Beginning | Response:
    """Begin a login with GitHub: programs are told the page, browsers are sent to it (303)."""
    if not parts.settings.is_team:
        raise NotFoundError(
            "nobody logs in with GitHub here; agent-session serve --url makes a link",
            hint=Hint("serve", ["--url"]),
        )
    attempt = github.begin()
    url = github.authorization_url(parts.settings, attempt, _callback(request, parts))
    is_page = "text/html" in request.headers.get("accept", "")
    answer = RedirectResponse(url, status_code=303) if is_page else response
    answer.headers["cache-control"] = "no-store"
    secure = parts.settings.secure
    answer.set_cookie(
        _cookie(secure=secure), attempt.cookie, max_age=SECONDS,
        path="/", secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return answer if is_page else Beginning(authorization_url=url, state=attempt.state)


@router.get("/auth/callback", status_code=302, response_class=RedirectResponse, responses={429: {}})
async def end_github_login(
    request: Request,
    parts: OfServer,
    code: Annotated[str, Query(max_length=500)] = "",
    state: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
    plain: Annotated[str, Cookie(alias=ATTEMPT)] = "",
) -> RedirectResponse:
    """Log in whom GitHub sends back: to /, or to /?error= with why not."""
    address = request.client.host if request.client else ""
    parts.guesses.check(address)
    secure = parts.settings.secure
    kept = request.cookies.get(_cookie(secure=secure), "") if secure else plain
    answer = RedirectResponse("/", status_code=302, headers={"cache-control": "no-store"})
    try:
        if error:
            raise github.GitHubFailed(error)
        attempt = github.Attempt.of_cookie(kept)
        person = await github.log_in(
            parts.settings, attempt, state=state, code=code, callback=_callback(request, parts)
        )
        async with parts.database.transaction() as session:
            user = await people.logged_in(session, parts.settings, person)
            await log_browser_in(request, parts, session, user, answer)
    except AgentSessionError as refused:
        parts.guesses.failed(address)
        request.state.denied = True
        said = error if error == "access_denied" else refused.code
        answer.headers["location"] = "/?" + urlencode({"error": said})
    answer.delete_cookie(_cookie(secure=secure), path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def _cookie(*, secure: bool) -> str:
    return f"__Host-{ATTEMPT}" if secure else ATTEMPT


def _callback(request: Request, parts: Parts) -> str:
    """The address to which GitHub sends people back."""
    base = parts.settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.headers['host']}"
    return f"{base}/auth/callback"
