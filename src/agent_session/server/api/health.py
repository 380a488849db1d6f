"""Whether the server is well, for everybody; its figures, for who may read them."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from agent_session import __version__
from agent_session.server.api.shapes import Health, LinearHealth, SessionCounts
from agent_session.server.auth.authentication import allowed
from agent_session.server.linear import statistics
from agent_session.server.parts import OfServer, Parts

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
        engine_status=parts.watching.engine_status,
        sessions=_counts(parts.watching.values()),
        configuration={
            "database": "sqlite" if parts.settings.is_sqlite else "postgresql",
            "behind_proxy": parts.settings.behind_proxy,
            "tls": parts.settings.secure,
        },
        linear=await _linear(parts, online=online),
    )


async def _linear(parts: Parts, *, online: bool) -> LinearHealth:
    nothing = dict.fromkeys(SessionCounts.model_fields, 0)
    counts = await statistics.counts(parts.database) if online else nothing
    choices = parts.settings.linear
    return LinearHealth(
        enabled=choices.enabled,
        sessions=SessionCounts(**counts),
        configuration=choices.shown() if choices.enabled else {},
    )


def _counts(values: list[str]) -> SessionCounts:
    active = sum(value in {"starting", "working", "waiting", "idle"} for value in values)
    failed = sum(value in {"failed", "unknown"} for value in values)
    completed = len(values) - active - failed
    return SessionCounts(total=len(values), active=active, completed=completed, error=failed, timeout=0)


@router.get("/metrics", dependencies=[allowed("metrics")], response_class=Response)
async def metrics(parts: OfServer) -> Response:
    """Give Prometheus its figures."""
    return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
