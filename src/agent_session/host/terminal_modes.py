"""A terminal is restored after another program has used it."""

import contextlib
import os
import sys
from collections.abc import Iterator

RESET = (
    "\x1b[<u\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m\r\n"
)
"""Kitty's keys, the second screen, mouse, focus and paste reports end; the cursor is seen; no colour."""


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """After the block the terminal is as before, whatever a program in it did and however it ended."""
    import termios  # not on every path

    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield  # no terminal
        return
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the window may be gone
            os.write(descriptor, RESET.encode())
        raise
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
