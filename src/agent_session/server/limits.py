"""What each user of a team may have at a time: sessions, running ones, their memory, prompts."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from agent_session.engine import limits
from agent_session.server.auth.scopes import Caller
from agent_session.server.errors import TooManyRequests
from agent_session.server.settings import Settings
from agent_session.sessions import find
from agent_session.sessions.session import Session

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

AGAIN_SECONDS = 60


class LimitReached(TooManyRequests):
    """A user has as much as the administrator allows."""

    code = "limit-reached"


class Limits:
    """What users have begun and not finished, beside what they have. The local user has no limits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._begun: dict[str, list[str]] = {}
        self._prompts = MovingWindowRateLimiter(MemoryStorage())

    @property
    def session_memory(self) -> int:
        """The bytes of memory that a new session of a user may use; 0: all there are."""
        return limits.memory(self._settings.session_memory)

    def prompt(self, caller: Caller) -> None:
        """Count a prompt. LimitReached for one too many in a minute."""
        most = self._settings.user_prompts
        if not caller.owner or not most:
            return
        allowed = RateLimitItemPerMinute(most)
        if not self._prompts.hit(allowed, caller.owner):
            again = self._prompts.get_window_stats(allowed, caller.owner).reset_time - time.time()
            raise LimitReached(f"you may send {most} prompts a minute", max(1, round(again + 0.5)))

    @asynccontextmanager
    async def one_more(self, parts: "Parts", caller: Caller, name: str) -> AsyncIterator[None]:
        """Keep a place for a session while it is made or started. LimitReached where there is none."""
        if not caller.owner:
            yield
            return
        begun = self._begun.setdefault(caller.owner, [])
        begun.append(name)
        try:
            found = await parts.threads.run(lambda: find.list_sessions(parts.engine))
            self._check([one for one in found if one.owner == caller.owner], begun, name)
            yield
        finally:
            begun.remove(name)

    def _check(self, mine: list[Session], begun: list[str], name: str) -> None:
        names = {one.name for one in mine} | set(begun)
        running = {one.name for one in mine if one.running} | set(begun)
        choices = self._settings
        if choices.user_sessions and name not in {one.name for one in mine}:
            _refuse(len(names) > choices.user_sessions, f"you may have {choices.user_sessions} sessions")
        _refuse(
            bool(choices.user_running) and len(running) > choices.user_running,
            f"{choices.user_running} of your sessions may run at the same time; stop one",
        )
        most = limits.memory(choices.user_memory)
        known = {one.name: one.options.memory for one in mine}
        asked = sum(known.get(one) or self.session_memory for one in running)
        _refuse(
            bool(most) and asked > most,
            f"your running sessions may use {choices.user_memory} of memory together; stop one",
        )


def _refuse(too_many: bool, reason: str) -> None:
    if too_many:
        raise LimitReached(reason, AGAIN_SECONDS)
