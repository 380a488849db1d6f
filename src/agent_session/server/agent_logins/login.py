"""A login of an agent as it goes on: pending, then ready, denied, expired or failed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent_session.agents.stored_login import StoredLogin
from agent_session.server.agent_logins.errors import LoginDenied, LoginExpired


@dataclass(kw_only=True, eq=False)
class Login:
    """One login; a task of the server drives it, and clients look at it."""

    status: str = "pending"
    url: str = ""
    """Where the person goes; "" until that is known."""
    user_code: str = ""
    """What the person types there."""
    needs_code: bool = False
    """Whether what the page shows then has to be given back."""
    expires_at: datetime | None = None
    detail: str = ""
    """Why it failed."""
    result: StoredLogin | None = None
    device_code: str = ""
    """GitHub's word for it, which the documents' client gives back to ask how it stands."""
    interval: float = 5.0
    """Seconds between two looks at GitHub."""
    codes: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as it is known what the person has to do, or the login is over."""
    changed: Callable[[], object] = lambda: None

    def tell(
        self, url: str, *, user_code: str = "", needs_code: bool = False, expires_at: datetime | None = None
    ) -> None:
        """Take what the person has to do."""
        self.url, self.user_code, self.needs_code, self.expires_at = url, user_code, needs_code, expires_at
        self.told.set()
        self.changed()

    def end(self, status: str) -> None:
        """Take how it has ended; nobody has to do anything any more."""
        self.status, self.url, self.user_code, self.needs_code = status, "", "", False
        self.told.set()

    def seconds_left(self) -> int:
        """Return for how long the person can still answer."""
        return max(0, round((self.expires_at - datetime.now(UTC)).total_seconds())) if self.expires_at else 0

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status != "pending"


Way = Callable[[Login], Awaitable[StoredLogin]]
"""Drives a login to its result. LoginDenied, LoginExpired, LoginFailed and the engine's errors end it."""


def status_of(error: BaseException) -> str:
    """The state in which an error leaves a login."""
    if isinstance(error, LoginDenied):
        return "denied"
    return "expired" if isinstance(error, LoginExpired | TimeoutError) else "failed"
