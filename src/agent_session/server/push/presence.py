"""Which browsers show which session now: those need no notification of it."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Presence:
    """The open streams of pages that somebody looks at; a page that is hidden closes its own."""

    def __init__(self) -> None:
        self._shown: Counter[tuple[uuid.UUID, str]] = Counter()

    @contextmanager
    def showing(self, device: uuid.UUID | None, session: str) -> Iterator[None]:
        """Note that a browser shows a session, for as long as the block lasts."""
        if device is None or not session:
            yield
            return
        self._shown[device, session] += 1
        try:
            yield
        finally:
            self._shown[device, session] -= 1
            self._shown += Counter()  # those at 0 go

    def shows(self, device: uuid.UUID, session: str) -> bool:
        """Say whether a browser shows a session."""
        return self._shown[device, session] > 0
