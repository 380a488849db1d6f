"""SIGTERM and SIGHUP become Interrupted, as Ctrl-C does, so that unfinished work can be undone."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from agent_session.errors import Interrupted

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Held:
    """The signal that arrived while blocks of `uninterrupted` are open.

    A process has one set of signal handlers, hence one of these.
    """

    blocks = 0
    arrived: "signal.Signals | None" = None


def _end(number: int, _frame: FrameType | None) -> None:
    if _Held.blocks:
        _Held.arrived = _Held.arrived or signal.Signals(number)
    else:
        raise Interrupted(signal.Signals(number))


def raise_on_endings() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise Interrupted in the main thread."""
    for ending in ENDINGS:
        if signal.getsignal(ending) is not signal.SIG_IGN:  # nohup means it
            signal.signal(ending, _end)


def raise_on(ending: signal.Signals) -> None:
    """From now on that signal raises Interrupted, too; no handling of errors takes it for one."""
    signal.signal(ending, _end)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold these signals back during steps that must not be left half-done.

    The first of them raises Interrupted at the end of the block.
    """
    _Held.blocks += 1
    try:
        yield
    finally:
        _Held.blocks -= 1
        if not _Held.blocks and (arrived := _Held.arrived):
            _Held.arrived = None
            raise Interrupted(arrived)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold these signals back, also from programs that are started in the block.

    Blocking alone would not do: where there are other threads, the kernel gives a signal that this one blocks
    to one of those, and Python tells the main thread all the same.
    """
    with held_back():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def on_interrupt(first: Callable[[], None]) -> Iterator[None]:
    """In the block, a first Ctrl-C calls `first`; each later one raises Interrupted.

    `first` is called in the main thread, between two steps.
    """
    heard = False

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            _end(number, _frame)
            return
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
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
