"""Files are replaced in one step: a reader finds the old content or the new one.

A process that is killed leaves the old content.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agent_session.host import fences
from agent_session.host.signals import uninterrupted


@contextmanager
def replacing(file: Path, *, mode: int = 0o600, fenced: Sequence[Path] = ()) -> Iterator[IO[bytes]]:
    """Yield a new file that replaces `file` at the end of the block, with `mode` as the umask allows it.

    An exception leaves `file` as it was. Until the end the new file has no name where the file system can do
    that, so that a killed process leaves nothing behind. `fenced` are directories that agents write in:
    OSError where a link there is on the way.
    """
    part = f".{file.name}.{secrets.token_hex(4)}"
    folder = fences.open_folder(file.parent, fenced)
    try:
        try:
            handle, named = _open(part, folder, mode)
        except OSError as error:
            error.filename = str(file)
            raise
        with os.fdopen(handle, "wb") as written:
            yield written
            written.flush()
            os.fsync(handle)
            with uninterrupted():
                if not named:
                    _give_name(handle, part, folder)
                os.replace(part, file.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
        os.close(folder)


def replace(file: Path, content: bytes, *, mode: int = 0o600, fenced: Sequence[Path] = ()) -> None:
    """Replace a file's content in one step, as `replacing` does."""
    with replacing(file, mode=mode, fenced=fenced) as written:
        written.write(content)


def _open(part: str, folder: int, mode: int) -> tuple[int, bool]:
    """A descriptor of a new file in a folder, and whether it has a name yet."""
    if nameless := getattr(os, "O_TMPFILE", 0):
        try:
            return os.open(".", os.O_WRONLY | nameless | os.O_CLOEXEC, mode, dir_fd=folder), False
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
                raise
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(part, flags, mode, dir_fd=folder), True


def _give_name(handle: int, name: str, folder: int) -> None:
    # Python follows the link in /proc, as the kernel demands, only if it is given a directory's descriptor
    os.link(f"/proc/self/fd/{handle}", name, dst_dir_fd=folder, follow_symlinks=True)
