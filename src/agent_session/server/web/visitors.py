"""Who looks at each session's terminal on the page now, so that everybody there can be told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, eq=False)
class Visitor:
    """Somebody at a terminal."""

    name: str
    """Whose browser it is: "alice on Firefox on Linux"."""
    types: bool

    def told(self) -> str:
        """Describe the visitor to the others."""
        return self.name if self.types else f"{self.name} (watching)"


class Visitors:
    """All of them. Everything in it happens in the event loop."""

    def __init__(self) -> None:
        self._there: dict[str, list[Visitor]] = {}

    @contextmanager
    def at(self, session: str, visitor: Visitor) -> Iterator[None]:
        """Note that a visitor is there, for as long as the block lasts."""
        there = self._there.setdefault(session, [])
        there.append(visitor)
        try:
            yield
        finally:
            there.remove(visitor)
            if not there:
                self._there.pop(session, None)

    def of(self, session: str) -> list[Visitor]:
        """Return who is at a session's terminal."""
        return list(self._there.get(session, ()))
