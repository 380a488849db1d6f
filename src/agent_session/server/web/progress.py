"""Work that a browser watches: what goes on in it, line by line, and what came of it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from agent_session.server import threads

Line = dict[str, Any]
_works: set["asyncio.Task[None]"] = set()


class Progress:
    """What goes on in one piece of work, which ends whether or not somebody watches."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[Line | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def tell(self, line: str) -> None:
        """Tell what happens now."""
        self._told.put_nowait({"line": line})

    def from_thread(self, line: str) -> None:
        """Tell it from a thread."""
        threads.post(self._loop, lambda: self.tell(line))

    def work(self, work: Coroutine[Any, Any, Line]) -> None:
        """Begin the work; what it returns is the last line."""

        async def whole() -> None:
            try:
                self._told.put_nowait(await work)
            finally:
                self._told.put_nowait(None)

        task = self._loop.create_task(whole())
        _works.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(_works.discard)

    async def lines(self, closing: asyncio.Event) -> AsyncIterator[Line]:
        """Give the lines until the work is over, or the server ends."""
        ending = asyncio.ensure_future(closing.wait())
        try:
            while True:
                line = asyncio.ensure_future(self._told.get())
                await asyncio.wait({line, ending}, return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    line.cancel()
                    return
                if (told := line.result()) is None:
                    return
                yield told
        finally:
            ending.cancel()
