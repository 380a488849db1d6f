"""One stream for each open page: which sessions have changed, and the turn that goes on, rendered."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agent_session.server import events
from agent_session.server.events import Sees
from agent_session.server.parts import Parts
from agent_session.server.web.turn_view import TurnView

RENDER_SECONDS = 0.125
"""How long after the last rendering of a turn that grows comes the next."""
TOLD = frozenset({"snapshot", "session", "gone", "queue", "turn", "end", "failed", "question"})


async def follow(parts: Parts, sees: Sees, name: str) -> AsyncIterator[bytes]:
    """Give what a page must know; `name` is the session it shows, or ""."""
    view, due, fresh = TurnView(), 0.0, False
    happening = aiter(parts.hub.listen(sees, dict, None))
    waiting: asyncio.Future[bytes] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(_next(happening))
            rest = max(0.0, due - time.monotonic()) if fresh else None
            await asyncio.wait({waiting}, timeout=rest)
            if waiting.done():
                chunk, waiting = waiting.result(), None
                if not chunk:
                    return
                told = list(events.decoded(chunk))
                fresh = fresh or any(data.get("session", name) == name for _, data in told)
                yield b"".join(_signals(told, name)) or (b": beat\n\n" if not told else b"")
            if fresh and name and time.monotonic() >= due:
                fresh, due = False, time.monotonic() + RENDER_SECONDS
                if changes := view.changes(parts.turns.now(name)):
                    yield events.encoded("live", changes)
            fresh = fresh and bool(name)
    finally:
        if waiting:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await waiting
        await happening.aclose()  # type: ignore[attr-defined]


async def _next(happening: AsyncIterator[bytes]) -> bytes:
    """The next piece; nothing at the end."""
    return await anext(happening, b"")


def _signals(told: list[tuple[str, dict[str, Any]]], name: str) -> Iterator[bytes]:
    """What the page is told of events: that something changed, not what; it asks for that."""
    for kind, data in told:
        if kind in TOLD:
            of = data.get("session", "")
            short: dict[str, Any] = {"session": of, "kind": kind}
            if kind == "failed" and of == name:
                short["detail"] = data.get("detail", "")
            if kind == "session":
                short["state"] = (data.get("state") or {}).get("value", "")
            yield events.encoded("changed", short)
