"""Two threads look for the dashboard: one at sessions' states, one at the chosen one's screen."""

import threading
from collections.abc import Callable

from agent_session.activity import terminal, watch
from agent_session.cli.dashboard.rows import Seen
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError

SCREEN_SECONDS = 1.5
"""How often the chosen session's screen is read; each reading is a process in its container."""
RETRY_SECONDS = 3.0


class Feed:
    """Looks until it is ended, and tells what it finds; each of its threads has an engine of its own."""

    def __init__(self, *, states: Engine, screens: Engine) -> None:
        self._states = states
        self._screens = screens
        self._ended = threading.Event()
        self._paused = threading.Event()
        self._again = threading.Event()
        self._chosen = ""

    def begin(
        self,
        *,
        sessions: Callable[[list[Seen]], None],
        screen: Callable[[str, str], None],
        failure: Callable[[str], None],
    ) -> None:
        """Begin to look, in threads beside the caller, which call what is given here.

        `sessions` gets all sessions with their states whenever these may have changed; `screen` a session's
        name and what its terminal shows; `failure` a sentence.
        """
        self._tell_sessions, self._tell_screen, self._tell_failure = sessions, screen, failure
        for work in (self._follow_states, self._follow_screen):
            threading.Thread(target=work, daemon=True).start()

    def end(self) -> None:
        """Look no longer; the threads end by themselves a moment later."""
        self._ended.set()
        self._again.set()

    def pause(self, paused: bool) -> None:
        """Read no screens meanwhile, as while a session has the whole terminal."""
        (self._paused.set if paused else self._paused.clear)()

    def choose(self, name: str) -> None:
        """Read this session's screen from now on, at once; "" for none."""
        self._chosen = name
        self._again.set()

    def _follow_states(self) -> None:
        while not self._ended.is_set():
            try:
                for found in watch.look(self._states):
                    if self._ended.is_set():
                        return
                    self._tell_sessions([Seen(session, state) for session, state in found])
            except AgentSessionError as error:
                self._fail(error)
            except Exception:
                if not self._ended.is_set():  # its engine was closed under it
                    raise
            self._ended.wait(RETRY_SECONDS)

    def _follow_screen(self) -> None:
        while not self._ended.is_set():
            self._again.clear()
            if self._chosen and not self._paused.is_set():
                self._read_screen(self._chosen)
            self._again.wait(SCREEN_SECONDS)

    def _read_screen(self, name: str) -> None:
        engine = self._screens
        try:
            text = terminal.shown(engine, terminal.running(engine, name))
        except AgentSessionError as error:
            text = error.message
        except Exception:
            if not self._ended.is_set():
                raise
            return
        if not self._ended.is_set():
            self._tell_screen(name, text)

    def _fail(self, error: AgentSessionError) -> None:
        if not self._ended.is_set():
            self._tell_failure(error.message)
