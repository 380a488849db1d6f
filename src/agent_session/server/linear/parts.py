"""What the parts that talk with Linear share: the time, which tests move, and bells."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent_session.server.linear.turnstile import Turnstile

LOOK_SECONDS = 1.0
"""How long at most nobody looks at what became due."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(kw_only=True, eq=False)
class Bell:
    """Rung when there is something new; whoever waits looks at once, or a moment later anyway."""

    _rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Tell that there is something new."""
        self._rung.set()

    async def wait(self, seconds: float = LOOK_SECONDS) -> None:
        """Wait for the next ring, so long at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()


@dataclass(kw_only=True, eq=False)
class LinearParts:
    """What the parts that talk with Linear share, beside the server's."""

    now: Callable[[], datetime] = utc_now
    to_send: Bell = field(default_factory=Bell)
    to_do: Bell = field(default_factory=Bell)
    writing: Turnstile = field(default_factory=Turnstile)
    """Passed by whoever changes Linear's tables, where they are SQLite's."""
    paused: dict[str, datetime] = field(default_factory=dict)
    """Until when a workspace is left in peace, as its rate limit's headers say."""
    requests: list[datetime] = field(default_factory=list)
    """When requests were made in the last hour."""
    tokens: dict[str, asyncio.Lock] = field(default_factory=dict)
    """Of each workspace, while its token is renewed."""
