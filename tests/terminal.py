"""A real terminal: a window of a tmux server that nobody else uses."""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.waiting import COMMAND_SECONDS, SECONDS, until, until_shown

OPTIONS = (
    "set -g default-terminal xterm-256color\nset -g remain-on-exit on\n"
    'set -g remain-on-exit-format ""\nset -g status off\nset -s escape-time 0\n'
)


class Terminal:
    """One window with one program. Its lines are the screen a person would see."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        folder: Path,
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        if not shutil.which("tmux"):
            pytest.fail("the e2e tests drive a real terminal: sudo apt-get install tmux")
        self._socket = folder / f"tmux-{time.monotonic_ns()}"
        self._environment = dict(environment)
        configuration = self._socket.with_suffix(".conf")
        configuration.write_text(OPTIONS)
        size = ["-x", str(columns), "-y", str(rows)]
        self._tmux(
            "-f", str(configuration), "new-session", "-d", "-s", "w", "-c", str(cwd), *size, "--", *command
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The program's process, which launchers replace rather than fork."""
        return int(self._asked("#{pane_pid}"))

    @property
    def ended(self) -> bool:
        """Whether the program has ended; its last screen stays."""
        return self._asked("#{pane_dead}") == "1"

    @property
    def status(self) -> int | None:
        """The exit status of a program that has ended, minus the signal's number if one ended it;
        None before.
        """
        self._tmux("run-shell", "true")  # tmux 3.3a may miss the end of one child until that of another
        status, signal = self._asked("#{pane_dead_status},#{pane_dead_signal}").split(",")
        return int(status) if status else -int(signal) if signal else None

    def type(self, text: str, *keys: str) -> None:
        """Text as it is, then keys by name: `type("ls", "Enter")`."""
        self._tmux("send-keys", "-t", "w", "-l", "--", text)
        self.press(*keys)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Enter, C-q, Up."""
        if keys:
            self._tmux("send-keys", "-t", "w", *keys)

    def paste(self, text: str) -> None:
        """A bracketed paste, if the program asked for those."""
        self._tmux("set-buffer", "-b", "paste", text)
        self._tmux("paste-buffer", "-p", "-b", "paste", "-t", "w")

    def resize(self, columns: int, rows: int) -> None:
        """Like dragging the window's corner."""
        self._tmux("resize-window", "-t", "w", "-x", str(columns), "-y", str(rows))

    def screen(self, *, escapes: bool = False) -> str:
        """What is seen, a line a row; with `escapes` its colours, too."""
        return self._tmux("capture-pane", "-p", *(["-e"] if escapes else []), "-t", "w")

    def wait_for(self, *texts: str, seconds: float = SECONDS, escapes: bool = False) -> str:
        """The first screen with all of the texts on it."""
        return self.wait(
            lambda screen: all(text in screen for text in texts),
            " and ".join(map(repr, texts)),
            seconds=seconds,
            escapes=escapes,
        )

    def wait(
        self, wanted: Callable[[str], bool], what: str, *, seconds: float = SECONDS, escapes: bool = False
    ) -> str:
        """The first screen that is wanted; fails with the one that was there instead."""
        return until_shown(lambda: self.screen(escapes=escapes), wanted, what, seconds=seconds)

    def wait_for_end(self, *, seconds: float = SECONDS) -> int:
        """The exit status of the program."""
        until(lambda: self.status is not None, "end of the program", seconds=seconds, told=self.screen)
        status = self.status
        assert status is not None
        return status

    def close(self) -> None:
        """Close the window as a person would: the program gets SIGHUP and its terminal is gone."""
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"],
            env=self._environment,
            capture_output=True,
            check=False,
        )

    def _asked(self, format_: str) -> str:
        return self._tmux("display-message", "-p", "-t", "w", format_).strip()

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"tmux {' '.join(arguments)}: {done.stderr}"
        return done.stdout
