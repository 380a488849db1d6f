"""One command at a time: an advisory lock that dies with its owner."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def lock_file(folder: Path, name: str) -> Path:
    """Where the lock of that name is, in a directory of ours; it need not exist."""
    return folder / f"{name}.lock"


def is_held(file: Path) -> bool:
    """Whether a living process has that lock (a file, a directory) just now; nobody has one that is not there.

    Who asks for the lock meanwhile waits for as long as this takes.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def lock(folder: Path, name: str, *, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of that name in a directory of ours; `waiting` is told the owner's pid where somebody else has it.

    flock is released by the kernel when its owner dies, so no lock survives; the empty file that stays is not the lock.
    """
    descriptor = os.open(lock_file(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "?")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
