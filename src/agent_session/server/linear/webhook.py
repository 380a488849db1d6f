"""POST /webhooks/linear-agent: checked, written down and answered; all else is done behind it."""

import asyncio
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from agent_session.errors import AgentSessionError
from agent_session.server.linear import signature
from agent_session.server.linear.errors import BadWebhook, NotSetUp
from agent_session.server.linear.receive import receive
from agent_session.server.parts import OfServer

LOG = structlog.get_logger("agent-session")
ANSWER_SECONDS = 0.8
"""How long the database may take; Linear sends it again where that was not enough."""
ANSWERS: dict[int | str, dict[str, Any]] = {400: {}, 401: {}, 404: {}, 413: {}, 503: {}}
router = APIRouter(tags=["linear"])


@router.post(
    "/webhooks/linear-agent",
    response_class=JSONResponse,
    responses=ANSWERS,
)
async def linear_webhook(request: Request, parts: OfServer) -> JSONResponse:
    """Take a webhook of Linear's, signed with the webhook's secret. The answer waits for nothing but SQL."""
    if not parts.settings.linear.enabled:
        raise NotSetUp
    try:
        raw = await _body(request)
        signature.check(raw, request.headers.get("linear-signature"), parts.settings.linear.secrets)
        body = signature.read(raw, parts.linear.now())
    except BadWebhook as refused:
        return JSONResponse({"error": refused.message}, status_code=refused.status)
    delivery = request.headers.get("linear-delivery", "")[:100]
    try:
        done = await asyncio.wait_for(receive(parts, delivery, body, raw), ANSWER_SECONDS)
    except (AgentSessionError, SQLAlchemyError, TimeoutError) as error:
        LOG.warning("a webhook was not written down", reason=type(error).__name__)
        return JSONResponse({"error": "Not written down; send it again"}, status_code=503)
    return JSONResponse({"received": True} | ({"processing": True} if done else {}))


async def _body(request: Request) -> bytes:
    """Read the bytes that were sent, as many as a webhook may have."""
    too_large = BadWebhook("Payload too large", 413)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > signature.LARGEST:
        raise too_large
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > signature.LARGEST:
            raise too_large
        pieces.append(piece)
    return b"".join(pieces)
