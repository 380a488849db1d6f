"""Reads files that others may change: without following links, blocking on a pipe or reading forever."""

import errno
import os
import stat
from pathlib import Path

FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def open_directory(top: Path | int, *parts: str) -> int:
    """Open a directory below `top`, a trusted path or a descriptor that stays open.

    Raises OSError where there is none. The caller closes the descriptor.
    """
    here = os.dup(top) if isinstance(top, int) else os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            below = os.open(part, FLAGS | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def open_file(top: Path | int, *parts: str, links: bool = False) -> int:
    """Open a regular file at `top`, or below it.

    Raises FileNotFoundError where there is none, OSError for anything but a regular file. With `links` the
    last part may be a link: for files of the user's own.
    """
    flags = FLAGS if links else FLAGS | os.O_NOFOLLOW
    if isinstance(top, Path) and not parts:
        top, parts = top.parent, (top.name,)
    folder = open_directory(top, *parts[:-1])
    try:
        file = os.open(parts[-1], flags, dir_fd=folder)
    finally:
        os.close(folder)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(errno.EINVAL, "it is not a regular file")


def exists(top: Path | int, *parts: str) -> bool:
    """Whether a regular file is there."""
    try:
        os.close(open_file(top, *parts))
    except OSError:
        return False
    return True


def read(top: Path | int, *parts: str, largest: int, links: bool = False) -> bytes:
    """Read the first `largest` bytes of a regular file. Raises as `open_file` does."""
    file = open_file(top, *parts, links=links)
    try:
        return read_open(file, largest=largest)
    finally:
        os.close(file)


def read_whole(top: Path | int, *parts: str, largest: int, links: bool = False) -> bytes:
    """Read a regular file of at most `largest` bytes. Raises OSError for a larger one.

    Otherwise it raises as `open_file` does.
    """
    content = read(top, *parts, largest=largest + 1, links=links)
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest} bytes")
    return content


def read_open(file: int, *, largest: int) -> bytes:
    """Read the rest of an open file, `largest` bytes of it at most."""
    content = bytearray()
    while len(content) < largest and (more := os.read(file, min(largest - len(content), 1 << 20))):
        content += more
    return bytes(content)
