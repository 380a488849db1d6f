"""Every request is counted and logged.

The audit log gets those that change something, or are denied it.
"""

import time

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_session.server.audit import DENIED, Call
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import Parts
from agent_session.server.walls import SAFE

BUG = {"detail": "this is a bug in agent-session; its log says more", "code": "bug", "hints": []}
LOG = structlog.get_logger("agent-session")


class Requests:
    """The outermost layer: it sees what each request came to. Neither queries nor bodies are written down."""

    def __init__(self, app: ASGIApp, *, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and write down what came of it when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        begun = time.monotonic()
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                await self._write(scope, message["status"], time.monotonic() - begun)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            LOG.exception("bug", path=scope["path"])
            if answered:
                raise
            await JSONResponse(BUG, status_code=500)(scope, receive, sending)

    async def _write(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        name = getattr(scope.get("route"), "name", "other")
        caller: Caller | None = scope["state"].get("caller")
        address = scope["client"][0] if scope.get("client") else ""
        self._parts.metrics.requests.labels(scope["method"], route, status).inc()
        self._parts.metrics.request_seconds.labels(route).observe(seconds)
        LOG.info(
            "request", method=scope["method"], route=route, status=status,
            ms=round(seconds * 1000, 1), user=caller.login if caller else None,
        )  # fmt: skip
        if scope["method"] in SAFE and status not in DENIED and not scope["state"].get("denied"):
            return
        await self._parts.audit.record(
            Call(
                user=caller.login if caller else None,
                way=caller.way if caller else "",
                action=name,
                session=scope.get("path_params", {}).get("name"),
                status=status,
                address=address,
            )
        )
