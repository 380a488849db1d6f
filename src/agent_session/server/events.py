"""One stream of events a client: numbered, encoded once for all, replayed from a bounded record."""

import asyncio
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

KEPT = 5000
"""Events that a client which was away can still get."""
BEHIND = 2000
"""Events that a client may be behind, before it has to begin again."""
BEAT_SECONDS = 15.0
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
ID = re.compile(r"([0-9a-f]{8})-(\d{1,18})")

Sees = Callable[[str, str], bool]
"""(owner, session) -> whether a client may see events of that session."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, as it goes over the wire."""

    number: int
    owner: str
    session: str
    wire: bytes


@dataclass(kw_only=True, eq=False)
class _Listener:
    sees: Sees
    waiting: deque[bytes] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """All events of one server, and who listens. Everything in it happens in the event loop."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)  # an id of an earlier server must not be taken for one of ours
        self._number = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._listeners: set[_Listener] = set()
        self._beating: asyncio.TimerHandle | None = None
        self.closing = asyncio.Event()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def publish(self, kind: str, *, owner: str, session: str, data: dict[str, Any]) -> None:
        """Tell an event to all who may see it."""
        self._number += 1
        wire = encoded(kind, {"session": session, **data}, id=f"{self._run}-{self._number}")
        self._kept.append(Event(number=self._number, owner=owner, session=session, wire=wire))
        for listener in self._listeners:
            if listener.sees(owner, session) and len(listener.waiting) <= BEHIND:
                listener.waiting.append(wire)
                listener.woken.set()

    async def listen(
        self, sees: Sees, snapshot: Callable[[], dict[str, Any]], last: str | None
    ) -> AsyncIterator[bytes]:
        """Give the events from `last` on; where that is too long ago, what is true now and all later ones."""
        listener = _Listener(sees=sees)
        missed = self._after(last)
        if missed is None:
            listener.waiting.append(encoded("snapshot", snapshot(), id=f"{self._run}-{self._number}"))
        else:
            listener.waiting.extend(event.wire for event in missed if sees(event.owner, event.session))
        self._listeners.add(listener)
        if self._beating is None:
            self._beating = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)
        try:
            yield b": hello\n\n"
            while not self.closing.is_set():
                while listener.waiting:
                    if len(listener.waiting) > BEHIND:
                        yield encoded("end", {"reason": "you are too far behind; connect again"})
                        return
                    yield _taken(listener.waiting)
                listener.woken.clear()
                await listener.woken.wait()
            yield encoded("end", {"reason": "the server is ending"})
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End all streams, with the reason."""
        self.closing.set()
        for listener in self._listeners:
            listener.woken.set()

    def _beat(self) -> None:
        """Send something to all who had nothing to read: one timer for them all, as a thousand cost."""
        for listener in self._listeners:
            if not listener.waiting:
                listener.waiting.append(b": beat\n\n")
                listener.woken.set()
        self._beating = None
        if self._listeners:
            self._beating = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _after(self, last: str | None) -> list[Event] | None:
        """The events after an id; None where some of them are not kept any more."""
        found = ID.fullmatch(last or "")
        if not found or found[1] != self._run:
            return None
        number = int(found[2])
        oldest = self._kept[0].number if self._kept else self._number + 1
        if not oldest - 1 <= number <= self._number:
            return None
        return [event for event in self._kept if event.number > number]


def encoded(kind: str, data: dict[str, Any], *, id: str = "") -> bytes:
    """Encode an event as server-sent events are; a kind of "" is the one without a name."""
    lines = [f"id: {id}"] if id else []
    lines += [f"event: {kind}"] if kind else []
    return "\n".join((*lines, f"data: {json.dumps(data, ensure_ascii=False)}", "", "")).encode()


def decoded(piece: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the kinds and data of events that `listen` gave."""
    for block in piece.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in lines:
            yield lines.get("event", ""), json.loads(lines["data"])


def _taken(waiting: deque[bytes]) -> bytes:
    """All that waits, in one piece."""
    pieces = list(waiting)
    waiting.clear()
    return b"".join(pieces)
