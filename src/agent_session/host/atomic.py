"""Files are replaced in one step: a reader finds the old content or the new one.

A process that is killed leaves the old content.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agent_session.host.signals import uninterrupted


@contextmanager
def replacing(file: Path, *, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Yield a new file that replaces `file` at the end of the block, with `mode` as the umask allows it.

    An exception leaves `file` as it was. Until the end the new file has no name where the file system can do
    that, so that a killed process leaves nothing behind.
    """
    part = file.parent / f".{file.name}.{secrets.token_hex(4)}"
    handle, named = _open(part, mode)
    try:
        with os.fdopen(handle, "wb") as written:
            yield written
            written.flush()
            os.fsync(handle)
            with uninterrupted():
                if not named:
                    _give_name(handle, part)
                part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def replace(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file's content in one step, with `mode` as the umask allows it."""
    with replacing(file, mode=mode) as written:
        written.write(content)


def _open(part: Path, mode: int) -> tuple[int, bool]:
    """A descriptor of a new file, and whether it has a name yet."""
    if nameless := getattr(os, "O_TMPFILE", 0):
        try:
            return os.open(part.parent, os.O_WRONLY | nameless | os.O_CLOEXEC, mode), False
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
                raise
    return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), True


def _give_name(handle: int, path: Path) -> None:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    # Python follows the link in /proc, as the kernel demands, only if it is given a directory's descriptor
    try:
        os.link(f"/proc/self/fd/{handle}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
