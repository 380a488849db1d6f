"""Being asked to end: SIGTERM and SIGHUP become Interrupted, like Ctrl-C, so that what was begun can be undone."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from agent_session.errors import Interrupted

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_on_endings() -> None:
    """From now on each of them raises Interrupted in the main thread."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number))

    for ending in ENDINGS:
        if signal.getsignal(ending) is not signal.SIG_IGN:  # nohup means it
            signal.signal(ending, end)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold them back for a moment: for steps that must not be left half-done. They arrive at the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
