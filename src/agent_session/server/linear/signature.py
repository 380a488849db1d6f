"""Whether a webhook is Linear's: signed over the bytes that came, and sent within the last minute."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agent_session.server.linear.errors import BadWebhook

LARGEST = 5 * 1024 * 1024
OLDEST_SECONDS = 60.0


def check(body: bytes, signature: str | None, secrets: Sequence[str]) -> None:
    """Check the signature (hex HMAC-SHA256 of the raw body) with each secret. Raises BadWebhook."""
    if not body:
        raise BadWebhook("No payload received", 400)
    if not signature:
        raise BadWebhook("Missing signature", 401)
    shown = signature.removeprefix("sha256=").lower().encode("utf-8", "replace")
    matches = [
        hmac.compare_digest(hmac.new(word.encode(), body, hashlib.sha256).hexdigest().encode(), shown)
        for word in secrets
    ]
    if not any(matches):
        raise BadWebhook("Invalid signature", 401)


def read(body: bytes, now: datetime) -> dict[str, Any]:
    """Read a signed body, sent within a minute of now by its own time (Unix ms). Raises BadWebhook."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadWebhook("Invalid payload", 400) from None
    if not isinstance(found, dict):
        raise BadWebhook("Invalid payload", 400)
    sent = found.get("webhookTimestamp")
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        raise BadWebhook("Missing timestamp", 401)
    if not abs(now.timestamp() - sent / 1000) <= OLDEST_SECONDS:
        raise BadWebhook("Stale timestamp", 401)
    return found
