"""Wrong links are counted by address, so that nobody can try one after the other."""

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from agent_session.server.errors import TooManyRequests

ALLOWED = RateLimitItemPerMinute(10)


class Guesses:
    """The wrong links of the last minute."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def check(self, address: str) -> None:
        """Raise TooManyRequests for an address with too many of them."""
        if not self._limiter.test(ALLOWED, address):
            raise TooManyRequests("too many links that are not valid came from your address", 60)

    def failed(self, address: str) -> None:
        """Count one."""
        self._limiter.hit(ALLOWED, address)
