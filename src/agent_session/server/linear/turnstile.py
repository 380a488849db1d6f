"""A lock that lets webhooks pass before what waits behind them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(kw_only=True, eq=False)
class Turnstile:
    """Lets one pass at a time: those in a hurry first, and else in the order in which they came."""

    _taken: bool = False
    _hurried: deque["asyncio.Future[None]"] = field(default_factory=deque)
    _others: deque["asyncio.Future[None]"] = field(default_factory=deque)

    @asynccontextmanager
    async def pass_through(self, *, hurried: bool = False) -> AsyncIterator[None]:
        """Wait for the way to be free, and leave it free again."""
        if self._taken:
            line = self._hurried if hurried else self._others
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            line.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._next()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        for line in (self._hurried, self._others):
            while line:
                first = line.popleft()
                if not first.done():
                    first.set_result(None)
                    return
        self._taken = False
