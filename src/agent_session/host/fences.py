"""Paths that may lead through directories in which an agent writes are walked by descriptor.

Links of the user's own are followed, as everywhere. In a fence, a directory that an agent can write, a link
is the agent's: none is followed on the way to what is written, and to what is read only one that stays
there.
"""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_LINKS = 40
"""As many as the kernel follows."""


def open_folder(path: Path, fences: Sequence[Path]) -> int:
    """Open the directory at `path`, to write in it; the caller closes the descriptor.

    Raises OSError with ELOOP where a link in a fence is on the way.
    """
    with _Walk(_marks(fences)) as walk:
        walk.go(path)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.here)


def open_source(path: Path, fences: Sequence[Path]) -> int:
    """Open a file or directory to read it; the descriptor stays that file, whatever its name becomes.

    Raises OSError with ELOOP where a link leads out of a fence, EINVAL for a pipe, a device or a socket.
    """
    with _Walk(_marks(fences), reading=True) as walk:
        name = walk.go(path, all_but_last_file=True)
        found = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=walk.here)
    mode = os.fstat(found).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return found
    os.close(found)
    raise OSError(errno.EINVAL, "neither a file nor a directory", str(path))


def _marks(fences: Sequence[Path]) -> frozenset[tuple[int, int]]:
    """The fences by what they are: a directory has many names."""
    marks = set()
    for fence in fences:
        try:
            found = fence.lstat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode):
            marks.add((found.st_dev, found.st_ino))
    return frozenset(marks)


@dataclass
class _Walk:
    """Descriptors of the directories from the root to where the walk is."""

    marks: frozenset[tuple[int, int]]
    reading: bool = False
    folders: list[int] = field(default_factory=list)
    fenced: list[bool] = field(default_factory=list)
    """Whether each of them is in a fence."""
    links: int = 0

    def __enter__(self) -> "_Walk":
        self._enter(os.open("/", WAY))
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self.folders:
            os.close(folder)

    @property
    def here(self) -> int:
        return self.folders[-1]

    def go(self, path: Path, *, all_but_last_file: bool = False) -> str:
        """Go to a path; with `all_but_last_file` stay beside what is no directory, and return its name."""
        try:
            return self._go(path, all_but_last_file=all_but_last_file)
        except OSError as error:
            error.filename = str(path)
            raise

    def _go(self, path: Path, *, all_but_last_file: bool) -> str:
        waiting = [(part, False) for part in reversed(str(Path.cwd() / path).split("/"))]
        while waiting:
            part, by_agent = waiting.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                self._leave(by_agent=by_agent, path=path)
                continue
            link = self._link(part)
            if link is not None:
                agents = self.fenced[-1]
                self._check(link, agents=agents, path=path)
                if link.startswith("/"):
                    self._leave_all()
                waiting += [(word, agents or by_agent) for word in reversed(link.split("/"))]
            elif all_but_last_file and not waiting and not self._is_folder(part):
                return part
            else:
                self._enter(os.open(part, WAY, dir_fd=self.here))
        return "."

    def _enter(self, folder: int) -> None:
        found = os.fstat(folder)
        self.folders.append(folder)
        self.fenced.append(
            (self.fenced[-1] if self.fenced else False) or (found.st_dev, found.st_ino) in self.marks
        )

    def _leave(self, *, by_agent: bool, path: Path) -> None:
        if len(self.folders) == 1:
            return
        if by_agent and not self.fenced[-2]:
            raise OSError(errno.ELOOP, "a link leads out of where an agent writes", str(path))
        os.close(self.folders.pop())
        self.fenced.pop()

    def _leave_all(self) -> None:
        while len(self.folders) > 1:
            os.close(self.folders.pop())
            self.fenced.pop()

    def _link(self, part: str) -> str | None:
        try:
            return os.readlink(part, dir_fd=self.here)
        except OSError as error:
            if error.errno == errno.EINVAL:  # it is none
                return None
            raise

    def _check(self, link: str, *, agents: bool, path: Path) -> None:
        self.links += 1
        if self.links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        if agents and not self.reading:
            raise OSError(errno.ELOOP, "a link is on the way, where an agent writes", str(path))
        if agents and link.startswith("/"):
            raise OSError(errno.ELOOP, "a link leads out of where an agent writes", str(path))

    def _is_folder(self, part: str) -> bool:
        return stat.S_ISDIR(os.stat(part, dir_fd=self.here, follow_symlinks=False).st_mode)
