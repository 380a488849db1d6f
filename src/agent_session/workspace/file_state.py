"""The state of paths in a project, read by descriptor.

No link is followed, nothing waits, and all is bounded.
"""

import fnmatch
import os
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from agent_session.host import nofollow

MOST_PATHS = 2000
"""At and below one protected path, so that many files in one hide nothing in another."""
MOST_BYTES = 64_000_000
LARGEST = 16_000_000
"""Of a larger file the beginning and the size count."""
MOST_NAMES = 4000
"""In one directory."""
DEEPEST = 12
TOO_MANY = "more than is looked at"
"""The content of such a directory."""

Kind = Literal["file", "directory", "link", "other"]


class FileState(NamedTuple):  # not a dataclass: ls makes hundreds, and has 20 ms for fifty sessions
    """A file, directory or link; `by` is the protected path that it is at or below.

    `content` is a file's digest or a link's target; `stat` tells without reading that a file is as it was.
    """

    kind: Kind
    by: str
    content: str = ""
    executable: bool = False
    stat: tuple[int, ...] = ()

    def differs(self, other: "FileState | None") -> bool:
        """Whether another state of the path is another for whoever runs it."""
        if other is None:
            return True
        mine, its = (self.kind, self.content, self.executable), (other.kind, other.content, other.executable)
        return mine != its


class Sought(NamedTuple):
    """A path to look at, relative to a root, or with a * all names that fit; without `exclude` in it."""

    path: str
    exclude: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Look:
    """One look at paths of a project, against what is `known` of them; `found` grows."""

    known: Mapping[str, FileState]
    deadline: float
    left_out: Sequence[str] = ()
    found: dict[str, FileState] = field(default_factory=dict)
    complete: bool = True
    _read: int = 0
    _left: int = MOST_PATHS

    def at_root(self, tree: int, root: str, sought: Sequence[Sought]) -> None:
        """Look at paths below one root of the project, whose directory is open."""
        try:
            folder = nofollow.open_directory(tree, *([] if root == "." else root.split("/")))
        except OSError:
            return
        try:
            names = self._names(folder)
            for one in sought:
                first, _, rest = one.path.partition("/")
                matching = fnmatch.filter(names, first) if "*" in first else [first] * (first in names)
                for name in matching:
                    self._left = MOST_PATHS
                    path = f"{name}/{rest}" if rest else name
                    self._at(folder, "" if root == "." else f"{root}/", path, one)
        finally:
            os.close(folder)

    def at_links(self, tree: int) -> None:
        """Look also at what links lead to, where that is in the project; one step far."""
        links = {path: state for path, state in self.known.items() if state.kind == "link"}
        links |= {path: state for path, state in self.found.items() if state.kind == "link"}
        for path, state in links.items():
            target = os.path.normpath(os.path.join(os.path.dirname(path), state.content))  # noqa: PTH118, PTH120
            if target not in self.found and target != "." and not target.startswith(("/", "..")):
                self._left = MOST_PATHS
                self._at(tree, "", target, Sought(path=state.by), by=state.by)

    def _names(self, folder: int) -> set[str]:
        """The names in a directory, as many as count."""
        names: set[str] = set()
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(names) >= MOST_NAMES:
                    self.complete = False
                    break
                names.add(entry.name)
        return names

    def _at(self, folder: int, prefix: str, path: str, sought: Sought, by: str = "") -> None:
        """Look at one path; where a directory on the way is a link, at that."""
        first, _, rest = path.partition("/")
        key = prefix + first
        if any(key == one or key.startswith(f"{one}/") for one in self.left_out):
            return
        by = by or f"{prefix}{path}"
        try:
            info = os.stat(first, dir_fd=folder, follow_symlinks=False)
            if not rest or not stat.S_ISDIR(info.st_mode):
                if not rest or stat.S_ISLNK(info.st_mode):
                    self._add(folder, first, key, info, Sought(path=by, exclude=sought.exclude), 0)
                return
            below = nofollow.open_directory(folder, first)
        except OSError:
            return
        try:
            self._at(below, f"{key}/", rest, sought, by)
        finally:
            os.close(below)

    def _add(self, folder: int, name: str, key: str, info: os.stat_result, by: Sought, depth: int) -> None:
        if any(key == one for one in self.left_out):
            return
        self._left -= 1
        if stat.S_ISREG(info.st_mode):
            self.found[key] = self._file(folder, name, key, info, by.path)
        elif stat.S_ISLNK(info.st_mode):
            target = os.readlink(name, dir_fd=folder)
            self.found[key] = FileState(kind="link", by=by.path, content=target)
        elif stat.S_ISDIR(info.st_mode):
            self.found[key] = FileState(kind="directory", by=by.path)
            self._below(folder, name, key, by, depth)
        else:
            self.found[key] = FileState(kind="other", by=by.path)

    def _below(self, folder: int, name: str, key: str, by: Sought, depth: int) -> None:
        directory = nofollow.open_directory(folder, name)
        try:
            names = self._names(directory) - (set() if depth else set(by.exclude))
            for below in sorted(names):
                if depth >= DEEPEST or self._left <= 0 or time.monotonic() > self.deadline:
                    break
                try:
                    info = os.stat(below, dir_fd=directory, follow_symlinks=False)
                    self._add(directory, below, f"{key}/{below}", info, by, depth + 1)
                except OSError:
                    continue  # it has gone meanwhile, or is not for us to see
            else:
                if len(names) < MOST_NAMES:
                    return
            self.complete = False
            self.found[key] = FileState(kind="directory", by=by.path, content=TOO_MANY)
        finally:
            os.close(directory)

    def _file(self, folder: int, name: str, key: str, info: os.stat_result, by: str) -> FileState:
        state = info.st_size, info.st_ino, info.st_mtime_ns, info.st_ctime_ns
        executable = bool(info.st_mode & stat.S_IXUSR)
        known = self.known.get(key)
        if known and known.kind == "file" and known.stat == state:
            return FileState(kind="file", by=by, content=known.content, executable=executable, stat=state)
        content = ""
        if self._read < MOST_BYTES:
            content = digest(data := nofollow.read(folder, name, largest=LARGEST))
            self._read += len(data)
            if info.st_size > LARGEST:
                content += f"+{info.st_size}"
        else:
            self.complete = False
        return FileState(kind="file", by=by, content=content, executable=executable, stat=state)


def digest(content: bytes) -> str:
    """The digest of a file's content, as a FileState has it."""
    import hashlib  # 2 ms that a look at unchanged files need not pay

    return hashlib.sha256(content).hexdigest()
