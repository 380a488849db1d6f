"""A terminal that speaks Kitty's keyboard protocol, as a user's own does; attached to a session."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Iterator

from tests.account import Account
from tests.storage import LAUNCHER

WINDOW = struct.pack("HHHH", 24, 80, 0, 0)


class Keyboard:
    """The terminal's end where keys are typed; what is shown is read and thrown away."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def press(self, sent: bytes, *, seconds: float = 0.15) -> None:
        """Send the bytes of a key, and take in what is shown for a moment."""
        os.write(self._descriptor, sent)
        self.take_in(seconds)

    def take_in(self, seconds: float) -> None:
        """Read what is shown, and answer what is asked of the terminal."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._descriptor], [], [], left)[0]:
                with contextlib.suppress(OSError):
                    shown = os.read(self._descriptor, 65536)
                    if b"\x1b[?u" in shown:
                        os.write(self._descriptor, b"\x1b[?0u")


@contextlib.contextmanager
def attached(account: Account, name: str) -> Iterator[Keyboard]:
    """Attach to a session; at the end it is left."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(account.home)
        os.execve(LAUNCHER, [str(LAUNCHER), "attach", name], account.environment)
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, WINDOW)
    keyboard = Keyboard(descriptor)
    try:
        keyboard.take_in(2)
        yield keyboard
        keyboard.press(b"\x11", seconds=1)
    finally:
        os.close(descriptor)
        os.waitpid(pid, 0)
