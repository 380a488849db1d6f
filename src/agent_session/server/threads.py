"""Work that blocks, beside the event loop: in threads that nothing waits for when the server ends."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 32
"""Calls of the engine that go on at the same time; the others wait."""


class Threads:
    """Runs blocking calls, so many at once. A server's end leaves them, as a kill would."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self.busy = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns, or raise what it raises."""
        async with self._free:
            self.busy += 1
            try:
                return await apart(work)
            finally:
                self.busy -= 1


async def apart(work: Callable[[], T]) -> T:
    """Run a blocking call in a thread of its own, however many there are."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    begin(lambda: _into(future, loop, work))
    return await asyncio.shield(future)


def begin(work: Callable[[], object]) -> None:
    """Begin some work in a thread of its own."""
    threading.Thread(target=work, daemon=True).start()


def post(loop: asyncio.AbstractEventLoop, tell: Callable[[], object]) -> None:
    """Have the loop do something, from a thread; where the loop has ended, nothing."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(tell)


def _into(future: "asyncio.Future[T]", loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:
        failure = error
        post(loop, lambda: None if future.done() else future.set_exception(failure))
    else:
        post(loop, lambda: None if future.done() else future.set_result(result))
