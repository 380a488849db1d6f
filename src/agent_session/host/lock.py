"""One command at a time: an advisory lock that dies with its owner."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that has a lock ("?" where it has not written its number yet), and since when.

    `since` is in seconds since 1970.
    """

    pid: str
    since: float

    def __str__(self) -> str:
        """Return the process's number."""
        return self.pid


def lock_file(folder: Path, name: str) -> Path:
    """The path of the lock of that name in a directory of ours; it need not exist."""
    return folder / f"{name}.lock"


def is_held(file: Path) -> bool:
    """Whether a living process holds the lock (a file or a directory); False where it does not exist.

    A process that asks for the lock in this moment waits until the question is answered.
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
def lock(folder: Path, name: str, *, waiting: Callable[[Holder], None]) -> Iterator[None]:
    """Hold the lock of that name in a directory of this user's.

    Where another process has it, `waiting` is called with the holder before this one waits.

    flock is released by the kernel when its owner dies, so no lock survives; the empty file that stays is not
    the lock.
    """
    file, told = lock_file(folder, name), False
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    waiting(_holder(descriptor))
                told = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(file, descriptor):
                break
            # Its owner has removed it (`forget`): others may have made and locked another one.
            os.close(descriptor)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def forget(folder: Path, name: str) -> None:
    """Remove a lock's file. For the one who holds the lock, when what it was for is gone."""
    lock_file(folder, name).unlink(missing_ok=True)


def _is_at(file: Path, descriptor: int) -> bool:
    try:
        there = file.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _holder(descriptor: int) -> Holder:
    pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "?"
    return Holder(pid=pid, since=os.fstat(descriptor).st_mtime)
