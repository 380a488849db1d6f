"""Being asked to end: SIGTERM and SIGHUP become Interrupted, like Ctrl-C, so that what was begun can be undone."""

import signal
from collections.abc import Callable, Iterator
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


@contextmanager
def on_interrupt(first: Callable[[], None]) -> Iterator[None]:
    """In the block, a first Ctrl-C calls `first`, in the main thread between two steps; each later one is Interrupted."""
    heard = False

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            raise Interrupted(signal.Signals(number))
        heard = True
        first()

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interruptible() -> Iterator[None]:
    """In the block, Ctrl-C is Interrupted: for a question asked within an `on_interrupt`."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number))

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
