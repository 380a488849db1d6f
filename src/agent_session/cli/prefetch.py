"""The first question to Podman, begun before the program is imported: both take 40 ms.

Verbs with one question begin to ask it; those with something to do begin the service that they will need,
where there is none. It is a guess by the first word. Where it is wrong, that is dropped, and nobody has to
know.
"""

import os
import sys

from agent_session.cli import verbs
from agent_session.engine.podman.listing import Listing, is_local

TYPE_CHECKING = False  # as mypy reads it; the real one is in `typing`
if TYPE_CHECKING:
    from agent_session.engine.podman.service import Service

ALONE = {"-d", "--detach", "--json"}
"""A start with one of these is of a new session more often than not; without them, on a terminal, somebody
comes back."""
LOUD = {"-v", "-vv", "--verbose"}


class Prefetch:
    """What has been begun, until an engine takes it."""

    def __init__(self) -> None:
        self.listing: Listing | None = None
        self._service: Service | None = None

    def ask(self, words: list[str]) -> None:
        """Guess, and begin to ask the one question. What goes wrong is told by whoever asks in earnest."""
        if _needs(words) == verbs.LISTING:
            self.listing = Listing()
            try:
                self.listing.begin()
            except OSError:
                return

    def begin(self, words: list[str]) -> None:
        """Guess, and begin what a verb with something to do will need."""
        if _needs(words) != verbs.SERVICE:
            return
        import contextlib

        from agent_session.engine.podman import service as podman_service
        from agent_session.errors import AgentSessionError
        from agent_session.host.signals import held_back

        with contextlib.suppress(OSError, AgentSessionError), held_back():
            self._service = podman_service.connect(os.environ)

    def taken_service(self) -> "Service | None":
        """The service, which is the caller's to end from now on."""
        service, self._service = self._service, None
        return service

    def drop(self) -> None:
        """What nobody took."""
        if self.listing:
            self.listing.drop()
        if service := self.taken_service():
            import contextlib

            from agent_session.errors import AgentSessionError

            with contextlib.suppress(AgentSessionError):
                service.wait()  # before it answers, a signal might not reach all of it
            service.close()


def _needs(words: list[str]) -> str:
    """The first question of a command line to Podman, by its verb and, where needed, its other words."""
    told = os.environ.get("AGENT_SESSION_VERBOSE")  # each call, in its turn
    if told or {"-h", "--help", "--dry-run", "--brief", *LOUD} & set(words) or not is_local(os.environ):
        return ""
    if not words:  # the sessions are shown
        return verbs.LISTING
    verb = verbs.find(words[0])
    if verb is None or verb.needs != verbs.EITHER:
        return verb.needs if verb else ""
    if verb.name == "start":
        back = not ALONE & set(words) and sys.stdin is not None and sys.stdin.isatty()
        return verbs.LISTING if back else verbs.SERVICE
    single = "--all" not in words and sum(not word.startswith("-") for word in words) <= 2
    return verbs.LISTING if single else verbs.SERVICE
