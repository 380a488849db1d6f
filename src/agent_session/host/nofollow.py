"""A walk down a tree that a stranger may change: no link is followed, and nothing is opened that could block."""

import os
import stat
from pathlib import Path

FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_directory(top: Path | int, *parts: str) -> int:
    """A descriptor of a directory below `top` (a path of ours or a descriptor, which stays open); OSError where there is none."""
    here = os.dup(top) if isinstance(top, int) else os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            below = os.open(part, FLAGS | os.O_DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def open_file(top: Path | int, *parts: str) -> int:
    """A descriptor of a regular file below `top`; FileNotFoundError where there is nothing, OSError where there is something else."""
    folder = open_directory(top, *parts[:-1])
    try:
        file = os.open(parts[-1], FLAGS, dir_fd=folder)
    finally:
        os.close(folder)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(f"{'/'.join(parts)} is no regular file")


def there_is(top: Path | int, *parts: str) -> bool:
    """Whether a regular file is there."""
    try:
        os.close(open_file(top, *parts))
    except OSError:
        return False
    return True


def content(top: Path | int, *parts: str, largest: int) -> bytes:
    """What is in a file, `largest` bytes of it at most; OSError as open_file."""
    file = open_file(top, *parts)
    try:
        return rest(file, largest=largest)
    finally:
        os.close(file)


def rest(file: int, *, largest: int) -> bytes:
    """What is left to be read of a file, `largest` bytes of it at most."""
    read = b""
    while len(read) < largest and (more := os.read(file, largest - len(read))):
        read += more
    return read
