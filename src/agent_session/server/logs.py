"""The server logs on stderr: lines for a person on a terminal, JSON elsewhere, and no secret."""

import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET = re.compile(r"as_[A-Za-z0-9_-]{20,}|(?<=token=)[^&\s]+|(?<=://)[^/@\s]+:[^/@\s]+(?=@)")
HIDDEN = re.compile(r"token|cookie|secret|password|authorization|key", re.IGNORECASE)


def configure() -> None:
    """Write the log to stderr from now on."""
    terminal = sys.stderr.isatty()
    last: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            hide,
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def hide(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out of a line what is, or looks like, a secret."""
    for name, value in event.items():
        if HIDDEN.search(name):
            event[name] = "(hidden)"
        elif isinstance(value, str):
            event[name] = SECRET.sub("(hidden)", value)
    return event
