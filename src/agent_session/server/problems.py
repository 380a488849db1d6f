"""An expected failure becomes an answer: a status, `detail` in words, a code, and commands to type."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from agent_session import errors
from agent_session.errors import AgentSessionError
from agent_session.server.errors import Forbidden, TooManyRequests, Unauthenticated
from agent_session.server.web import problems as web_problems
from agent_session.sessions.errors import SessionNotFound

STATUSES: tuple[tuple[type[AgentSessionError], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (TooManyRequests, 429),
    (errors.UsageError, 400),
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.EngineUnavailable, 503),
    (errors.BuildFailed, 503),
    (errors.NotReady, 503),
    (errors.EngineRefused, 502),
    (errors.AgentServerError, 502),
    (errors.TimedOut, 504),
)
"""The first that an error is one of counts; 500 for any other."""


DETAILED = "/api/agent-sessions"
"""Where errors are told as problem details (RFC 9457), and what is not valid is 400."""
MEDIA_TYPE = "application/problem+json"
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    number: {"description": HTTPStatus(number).phrase, **_PROBLEM}
    for number in (400, 401, 403, 404, 409, 502, 503)
}


def status(error: AgentSessionError) -> int:
    """Return the status of an error."""
    return next((number for kind, number in STATUSES if isinstance(error, kind)), 500)


def body(error: AgentSessionError) -> dict[str, Any]:
    """Return an error for programs and people."""
    hints = [hint.command() for hint in error.hints]
    if isinstance(error, SessionNotFound):
        return {"detail": "Session not found", "code": error.code, "hints": hints}
    return {"detail": error.message, "code": error.code, "hints": hints}


def answer(error: AgentSessionError, path: str = "") -> JSONResponse:
    """Return the answer for an error of a request to that path."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.seconds)
    return _answer(status(error), body(error), headers, path)


def _answer(number: int, told: dict[str, Any], headers: Mapping[str, str] | None, path: str) -> JSONResponse:
    if not path.startswith(DETAILED):
        return JSONResponse(told, status_code=number, headers=headers)
    told |= {"status": number, "status_code": number, "title": HTTPStatus(number).phrase}
    return JSONResponse(told, status_code=number, headers=headers, media_type=MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to look at, and not a program for data."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def install(app: FastAPI) -> None:
    """Have an application answer expected failures so."""

    @app.exception_handler(AgentSessionError)
    async def _(request: Request, error: AgentSessionError) -> Response:
        if wants_page(request):
            return web_problems.answer(status(error), body(error), request)
        return answer(error, request.url.path)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        told = {"detail": error.detail, "code": code, "hints": []}
        if wants_page(request):
            return web_problems.answer(error.status_code, told, request)
        return _answer(error.status_code, told, error.headers, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        if not request.url.path.startswith(DETAILED):
            # what was sent may be a key: it is not told back
            found = [{key: value for key, value in one.items() if key != "input"} for one in error.errors()]
            return await request_validation_exception_handler(request, RequestValidationError(found))
        extra = [
            {"message": one["msg"], "key": ".".join(map(str, one["loc"][1:])) or str(one["loc"][0])}
            for one in error.errors()
        ]
        title = f"Validation failed for {request.method} {request.url.path}"
        told = {"status": 400, "title": title, "detail": "Bad Request", "extra": extra}
        return JSONResponse(told, status_code=400, media_type=MEDIA_TYPE)
