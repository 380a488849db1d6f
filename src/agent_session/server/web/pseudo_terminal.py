"""A program on a pseudo terminal of its own, for one browser: bytes out of it, keys into it, its size.

The output goes through the same filter as on the command line, so that a session draws and does nothing else.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence

from agent_session.host import detach_key, terminal_filter

PIECE = 1 << 16
DETACH = bytes([ord(detach_key.DEFAULT[-1].upper()) & 0x1F])
"""What the detach key sends."""
LEAVE_SECONDS = 2.0
"""How long a client may take to leave; a killed one would stay in the container, at its size."""


class PseudoTerminal:
    """A running program and its terminal. Everything happens in the event loop."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int]) -> None:
        """Begin the program; a size is columns and rows."""
        self._main, other = os.openpty()
        os.set_blocking(self._main, False)
        self.size = size
        self._set_size()
        words = [sys.executable, "-IS", terminal_filter.__file__, *command]
        try:
            self._process = subprocess.Popen(
                words, stdin=other, stdout=other, stderr=other, env=dict(environment), start_new_session=True
            )
        finally:
            os.close(other)
        self._loop = asyncio.get_running_loop()
        self._typed = b""

    async def read(self) -> bytes:
        """Return what it wrote next; nothing at its end. What is not read waits in the terminal."""
        while True:
            try:
                return os.read(self._main, PIECE)
            except BlockingIOError:
                await self._readable()
            except OSError:  # its other side is closed
                return b""

    def type(self, keys: bytes) -> None:
        """Type into it; what it does not take now, it gets when it can."""
        waits, self._typed = bool(self._typed), self._typed + keys
        if not waits:
            self._pass_on()

    def resize(self, size: tuple[int, int]) -> None:
        """Give it another size."""
        if size != self.size:
            self.size = size
            self._set_size()
            self._process.send_signal(signal.SIGWINCH)  # it is not this terminal's session that runs there

    async def leave(self) -> None:
        """Detach, and end what does not leave by that."""
        with contextlib.suppress(OSError):
            os.write(self._main, DETACH)
        deadline = self._loop.time() + LEAVE_SECONDS
        while self._process.poll() is None and self._loop.time() < deadline:
            with contextlib.suppress(BlockingIOError, OSError):
                os.read(self._main, PIECE)
            await asyncio.sleep(0.02)
        self._loop.remove_writer(self._main)
        os.close(self._main)
        if self._process.poll() is None:
            self._process.terminate()
        await asyncio.to_thread(self._process.wait)

    def _pass_on(self) -> None:
        try:
            self._typed = self._typed[os.write(self._main, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""
        if self._typed:
            self._loop.add_writer(self._main, self._pass_on)
        else:
            self._loop.remove_writer(self._main)

    async def _readable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_reader(self._main, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_reader(self._main)

    def _set_size(self) -> None:
        columns, rows = self.size
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
