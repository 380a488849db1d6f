"""The one watcher on the engine: what sessions there are and what their agents do, told as events."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal

import structlog

from agent_session.activity import shapes, watch
from agent_session.activity.state import VALUES, State
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError
from agent_session.server import threads
from agent_session.server.events import Hub, Sees
from agent_session.server.metrics import Metrics
from agent_session.sessions.session import Session

AGAIN_SECONDS = 2.0
LOG = structlog.get_logger("agent-session")
Seen = list[tuple[Session, State]]


class Watching:
    """What is known of all sessions now. Everything but the thread happens in the event loop."""

    def __init__(self, engine: Engine, hub: Hub, metrics: Metrics) -> None:
        self._engine = engine
        self._hub = hub
        self._metrics = metrics
        self._known: dict[str, tuple[Session, State]] = {}
        self.engine_status: Literal["online", "offline", "unknown"] = "unknown"
        self.on_state: Callable[[Session, State], object] = lambda _session, _state: None
        self.on_gone: Callable[[Session], object] = lambda _session: None

    def begin(self) -> None:
        """Begin to watch, in a thread that ends with the process."""
        loop = asyncio.get_running_loop()
        threads.begin(lambda: self._watch(loop))

    def sessions(self, sees: Sees) -> Seen:
        """Return what a caller may see, by name."""
        return [found for _, found in sorted(self._known.items()) if sees(found[0].owner, found[0].name)]

    def values(self) -> list[str]:
        """Return the states of all sessions, whosever they are."""
        return [state.value for _, state in self._known.values()]

    def note(self, session: Session, state: State) -> None:
        """Take a session as it is now, and tell what has changed."""
        before = self._known.get(session.name)
        if state.passing and before:
            state = before[1]
        self._known[session.name] = session, state
        if before is None or _told(*before) != _told(session, state):
            self._hub.publish(
                "session", owner=session.owner, session=session.name, data=_told(session, state)
            )
        if before is None or before[1] != state:
            self.on_state(session, state)

    def forget(self, session: Session) -> None:
        """Take it that a session is gone, and tell so."""
        if self._known.pop(session.name, None):
            self._hub.publish("gone", owner=session.owner, session=session.name, data={})
            self.on_gone(session)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not loop.is_closed() and not self._hub.closing.is_set():
            try:
                for seen in watch.look(self._engine):
                    threads.post(loop, lambda seen=seen: self._take(seen))  # type: ignore[misc]
                    if loop.is_closed() or self._hub.closing.is_set():
                        return
            except AgentSessionError as error:
                threads.post(loop, lambda error=error: self._fail(error))  # type: ignore[misc]
                time.sleep(AGAIN_SECONDS)

    def _take(self, seen: Seen) -> None:
        self.engine_status = "online"
        names = {session.name for session, _ in seen}
        for session, state in seen:
            self.note(session, state)
        for session, _ in [found for name, found in self._known.items() if name not in names]:
            self.forget(session)
        for value in VALUES:
            self._metrics.sessions.labels(value).set(sum(state.value == value for _, state in seen))

    def _fail(self, error: AgentSessionError) -> None:
        if self.engine_status != "offline":
            LOG.warning("the engine does not answer", reason=error.message)
        self.engine_status = "offline"


def _told(session: Session, state: State) -> dict[str, Any]:
    return shapes.session(session) | {"state": shapes.agent_state(state, question=True)}
