"""An expected failure becomes an answer: a status, `detail` in words, a code, and commands to type."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from agent_session import errors
from agent_session.errors import AgentSessionError
from agent_session.server.errors import Forbidden, TooManyRequests, Unauthenticated
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


def status(error: AgentSessionError) -> int:
    """Return the status of an error."""
    return next((number for kind, number in STATUSES if isinstance(error, kind)), 500)


def body(error: AgentSessionError) -> dict[str, Any]:
    """Return an error for programs and people."""
    hints = [hint.command() for hint in error.hints]
    if isinstance(error, SessionNotFound):
        return {"detail": "Session not found", "code": error.code, "hints": hints}
    return {"detail": error.message, "code": error.code, "hints": hints}


def answer(error: AgentSessionError) -> JSONResponse:
    """Return the answer for an error."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.seconds)
    return JSONResponse(body(error), status_code=status(error), headers=headers)


def install(app: FastAPI) -> None:
    """Have an application answer expected failures so."""

    @app.exception_handler(AgentSessionError)
    async def _(_request: Request, error: AgentSessionError) -> JSONResponse:
        return answer(error)
