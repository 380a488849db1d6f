"""Whether the server is well, for everybody; its figures, for who may read them."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from agent_session import __version__
from agent_session.server.api.shapes import Health, SessionCounts
from agent_session.server.auth.authentication import allowed
from agent_session.server.parts import OfServer

router = APIRouter(tags=["health"])


@router.get("/health", response_model=Health, responses={503: {"model": Health}})
async def health(parts: OfServer, response: Response) -> Health:
    """Tell whether the server and its database answer. It needs no login, and tells no names."""
    online = await parts.database.answers()
    if not online:
        response.status_code = 503
    return Health(
        status="healthy" if online else "unhealthy",
        timestamp=datetime.now(UTC),
        app="agent-session",
        agent="agent-session",
        version=__version__,
        database_status="online" if online else "offline",
        engine_status="unknown",
        sessions=SessionCounts(total=0, active=0, completed=0, error=0, timeout=0),
        configuration={
            "database": "sqlite" if parts.settings.is_sqlite else "postgresql",
            "behind_proxy": parts.settings.behind_proxy,
            "tls": parts.settings.secure,
        },
    )


@router.get("/metrics", dependencies=[allowed("metrics")], response_class=Response)
async def metrics(parts: OfServer) -> Response:
    """Give Prometheus its figures."""
    return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
