"""What every request passes first: it is called by a known name, and not by a foreign page."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class Walls:
    """Refuses names that are not ours (DNS rebinding), and changes that a foreign page asks for (CSRF)."""

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request, and let the others through."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _host(headers.get("host", "")) not in self._names:
            await _refusal(421, "this server is not called by that name", "wrong-host")(scope, receive, send)
        elif not _is_own(scope, headers):
            await _refusal(403, "a page of another site asked for this", "foreign-page")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class HeadersOfAll:
    """Adds to every answer what keeps browsers from doing more with it than they should."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers when an answer begins."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def _refusal(status: int, reason: str, code: str) -> JSONResponse:
    return JSONResponse({"detail": reason, "code": code, "hints": []}, status_code=status)


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _is_own(scope: Scope, headers: Headers) -> bool:
    """Whether no foreign page asks: browsers say whose page it is, and programs with a token need not."""
    if scope["type"] == "http" and (scope["method"] in SAFE or "authorization" in headers):
        return True
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
