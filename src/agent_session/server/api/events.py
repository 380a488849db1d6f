"""The stream of all that happens in the caller's sessions."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from agent_session.server import events
from agent_session.server.api.sessions import shape
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader
from agent_session.server.parts import OfServer

router = APIRouter(tags=["events"])
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.get("/api/events", response_class=StreamingResponse, responses=STREAM)
async def stream_events(
    asking: Reader,
    parts: OfServer,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> StreamingResponse:
    """Stream events: session, gone, turn, text, tool, question, end, failed, queue.

    Each has an id. With that as Last-Event-ID (or `after`) it goes on from there; else, and where that is too
    long ago, it begins with `snapshot`: all sessions with their states, pending questions and lines.
    """
    sees = ownership.sees(asking)

    def snapshot() -> dict[str, Any]:
        return {
            "sessions": [
                shape(session, state) | {"queue": parts.turns.line(session.name)}
                for session, state in parts.watching.sessions(sees)
            ]
        }

    async def stream() -> AsyncIterator[bytes]:
        parts.metrics.streams.inc()
        try:
            async for piece in parts.hub.listen(sees, snapshot, last_event_id or after):
                yield piece
        finally:
            parts.metrics.streams.dec()

    return StreamingResponse(stream(), media_type="text/event-stream", headers=events.HEADERS)
