"""A tar of a file or folder of the host, made by descriptor: a change meanwhile leads nowhere."""

import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from agent_session.sessions.errors import CopyRefused

DEEPEST = 256
"""Directories below each other; each of them is held open."""
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def pack(source: int, stream: IO[bytes], *, called: str) -> list[str]:
    """Write a tar of an open file as `file`, or of an open directory's content. Links stay links.

    Returns a line about each entry that was left out: pipes, devices, sockets. CopyRefused for what cannot
    be read; `called` is the source's name in words.
    """
    notes: list[str] = []
    try:
        with tarfile.open(
            fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape"
        ) as tar:
            packing = _Packing(tar=tar, called=called, notes=notes)
            if stat.S_ISDIR(os.fstat(source).st_mode):
                packing.folder(os.dup(source), ".")
            else:
                packing.file(os.dup(source), "file")
    except BrokenPipeError:
        return notes  # the other side ended, and says why
    except OSError as error:
        raise CopyRefused(str(error.filename or called), error.strerror or str(error)) from error
    return notes


@dataclass(kw_only=True)
class _Packing:
    tar: tarfile.TarFile
    called: str
    notes: list[str]

    def folder(self, folder: int, name: str, depth: int = 0) -> None:
        """Add an open directory and all below it; the descriptor is closed."""
        with _closed(folder):
            if depth > DEEPEST:
                raise CopyRefused(self.called, f"more than {DEEPEST} directories are in each other")
            entry = self.tar.tarinfo(name)
            found = os.fstat(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, found.st_mode & 0o777, int(found.st_mtime)
            self.tar.addfile(entry)
            for below in sorted(os.listdir(folder)):
                self._entry(folder, below, f"{name}/{below}", depth)

    def file(self, file: int, name: str) -> None:
        """Add an open file, as a link where the tar has it already; the descriptor is closed."""
        with os.fdopen(file, "rb") as opened:
            entry = self.tar.gettarinfo(arcname=name, fileobj=opened)
            entry.mode &= 0o777
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            self.tar.addfile(entry, opened if entry.isreg() else None)

    def _entry(self, folder: int, below: str, name: str, depth: int) -> None:
        try:
            mode = os.stat(below, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                self._link(os.readlink(below, dir_fd=folder), name)
                return
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                self.notes.append(f"{self.called}/{name[2:]}: neither a file, a directory nor a link")
                return
            opened = os.open(below, FLAGS, dir_fd=folder)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.ENXIO}:
                raise OSError(error.errno, error.strerror, f"{self.called}/{name[2:]}") from error
            self.notes.append(f"{self.called}/{name[2:]}: it changed meanwhile")
            return
        self._opened(opened, name, depth)

    def _opened(self, opened: int, name: str, depth: int) -> None:
        mode = os.fstat(opened).st_mode
        if stat.S_ISDIR(mode):
            self.folder(opened, name, depth + 1)
        elif stat.S_ISREG(mode):
            self.file(opened, name)
        else:
            os.close(opened)
            self.notes.append(f"{self.called}/{name[2:]}: it changed meanwhile")

    def _link(self, target: str, name: str) -> None:
        entry = self.tar.tarinfo(name)
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
        self.tar.addfile(entry)


@contextmanager
def _closed(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
