"""Notifications, and a command of the user's, at a change of a session's state.

Nothing here may delay or end `watch`: what can take long runs in a thread or a process of its own, with a
time limit. What an agent wrote is data everywhere: an argument, a variable, a body; never a part of a shell
line.
"""

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent_session.activity.state import Value
from agent_session.activity.watch import Change
from agent_session.errors import ConfigurationError, Hint
from agent_session.host.clock import utc

SECONDS = 10
APART = 5.0
"""Seconds between two notifications, or two commands, of one session: its agent makes its states."""
MOST_WAITING = 20
MOST_AT_ONCE = 8
OSC_777 = ("foot", "rxvt", "contour")
"""TERMs whose terminals know OSC 777 and not OSC 9."""
OSASCRIPT = (
    "osascript", "-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of "
                                            "argv)", "-e", "end run",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StateCommand:
    """A shell command of the user's, and the states at which it runs."""

    values: tuple[Value, ...]
    command: str


def check_url(url: str) -> str:
    """The URL, if something can be posted to it; ConfigurationError."""
    if not url.startswith(("http://", "https://")) or any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigurationError(
            "notify_url",
            "must be a URL that begins with https:// or http://",
            hint=Hint("watch", ["--help"]),
        )
    return url


@dataclass(kw_only=True)
class Notifier:
    """Notifies a person that an agent waits: once each time, however often the same state is reported."""

    environment: Mapping[str, str]
    url: str | None
    note: Callable[[str], None]
    notified: dict[str, datetime | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spaced = _Spaced(self._send)
        self._senders = [_BackgroundSender(self._desktop)] + (
            [_BackgroundSender(self._post)] if self.url else []
        )

    def handle(self, change: Change) -> None:
        """Notify where this change needs it."""
        state = change.state
        if state is None:
            self.notified.pop(change.name, None)
        elif state.value == "waiting" and self.notified.get(change.name, ...) != state.since:
            self.notified[change.name] = state.since
            self._spaced.handle(change)

    def _send(self, change: Change) -> None:
        state = change.state
        assert state is not None
        title = f"{change.name} waits for you"
        body = state.reason or (state.question.text if state.question else "") or "it has a question"
        for sender in self._senders:
            sender.send(title, body)

    def _desktop(self, title: str, body: str) -> None:
        """The desktop's own notification, or what a terminal makes of one."""
        path = self.environment.get("PATH")
        if sys.platform == "darwin" and shutil.which("osascript", path=path):
            shown = self._succeeds([*OSASCRIPT, title, body])
        elif shutil.which("notify-send", path=path):
            escaped = (
                body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            )  # its body is markup
            shown = self._succeeds(["notify-send", "--app-name=agent-session", "--", title, escaped])
        else:
            shown = False
        if not shown:
            self._terminal(title, body)

    def _succeeds(self, command: Sequence[str]) -> bool:
        try:
            done = subprocess.run(
                command, env=dict(self.environment), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def _terminal(self, title: str, body: str) -> None:
        for stream in (sys.stderr, sys.stdout):
            if stream and stream.isatty():
                if self.environment.get("TERM", "").startswith(OSC_777):
                    stream.write(f"\x1b]777;notify;{title};{body}\x1b\\")
                else:
                    stream.write(f"\x1b]9;{title}: {body}\x1b\\")
                stream.flush()
                return

    def _post(self, title: str, body: str) -> None:
        import http.client
        import urllib.request

        request = urllib.request.Request(self.url or "", data=body.encode(), method="POST")
        request.add_header("Title", title)
        request.add_header("Content-Type", "text/plain; charset=utf-8")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except (
            OSError,
            ValueError,
            http.client.HTTPException,
        ) as error:  # URLError and HTTPError are OSErrors; the URL may hold a secret
            self.note(
                "a notification could not be posted: "
                f"{getattr(error, 'reason', None) or type(error).__name__}"
            )


@dataclass(kw_only=True)
class CommandRunner:
    """Runs the user's command when a session comes to one of its states, and does not wait for it."""

    command: StateCommand
    environment: Mapping[str, str]
    note: Callable[[str], None]
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._spaced = _Spaced(self._run)

    def handle(self, change: Change) -> None:
        """Run the command where this change leads to one of its states. Its output goes to stderr."""
        state = change.state
        if state is None or state.value not in self.command.values:
            self._spaced.cancel(change.name)
            return
        if change.before and (change.before.value, change.before.since) == (state.value, state.since):
            return
        self._spaced.handle(change)

    def _run(self, change: Change) -> None:
        self.running = [process for process in self.running if process.poll() is None]
        state = change.state
        assert state is not None
        if len(self.running) >= MOST_AT_ONCE:
            self.note(f"{MOST_AT_ONCE} commands of --on are still running; not run for {change.name}")
            return
        variables = {
            "AGENT_SESSION_NAME": change.name,
            "AGENT_SESSION_STATE": state.value,
            "AGENT_SESSION_REASON": state.reason,
            "AGENT_SESSION_SINCE": utc(state.since) if state.since else "",
        }
        command = ["/bin/sh", "-c", self.command.command]
        output = sys.stderr.fileno() if sys.stderr else None
        try:
            process = subprocess.Popen(
                command,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        except OSError as error:
            self.note(f"--on: {os.strerror(error.errno or 0)}")
            return
        self.running.append(process)


class _Spaced:
    """Acts on changes of a session, APART seconds after the last time at the earliest.

    What comes earlier waits, and only the newest of a session; it is dropped where it is cancelled meanwhile.
    """

    def __init__(self, act: Callable[[Change], None]) -> None:
        self._act = act
        self._due: dict[str, float] = {}
        self._waiting: dict[str, Change] = {}
        self._lock = threading.Lock()

    def handle(self, change: Change) -> None:
        """Act now, or when that may be."""
        with self._lock:
            begun = change.name in self._waiting
            left = self._due.get(change.name, 0) - time.monotonic()
            if left <= 0 and not begun:
                self._act_now(change)
                return
            self._waiting[change.name] = change
        if not begun:
            timer = threading.Timer(max(0, left), self._act_later, [change.name])
            timer.daemon = True
            timer.start()

    def cancel(self, name: str) -> None:
        """Drop what waits for a session."""
        with self._lock:
            self._waiting.pop(name, None)

    def _act_later(self, name: str) -> None:
        with self._lock:
            if name in self._waiting and self._due.get(name, 0) <= time.monotonic():
                self._act_now(self._waiting.pop(name))

    def _act_now(self, change: Change) -> None:
        self._due[change.name] = time.monotonic() + APART
        self._act(change)


class _BackgroundSender:
    """Sends notifications one after another in a thread that ends with the program; few wait to be sent."""

    def __init__(self, send_now: Callable[[str, str], None]) -> None:
        self._send_now = send_now
        self._waiting: queue.Queue[tuple[str, str]] = queue.Queue(maxsize=MOST_WAITING)
        self._thread: threading.Thread | None = None

    def send(self, title: str, body: str) -> None:
        """Send it as soon as possible; drop it where too many wait already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        if not self._waiting.full():
            self._waiting.put_nowait((title, body))

    def _work(self) -> None:
        while True:
            self._send_now(*self._waiting.get())
