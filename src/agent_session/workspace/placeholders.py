"""Placeholders hold names on the host while sessions run, so that an agent cannot create them.

They are made just before a container starts, and removed when no running session needs them any more, but
only if they are still as we made them (their time of change tells). The containers' labels say which
placeholders belong to which session. Directories are opened one by one and never through a link: the tree
belongs to an agent, and this runs with the user's rights.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agent_session.host import nofollow, paths
from agent_session.host.lock import lock

BEGIN = "# agent-session: while sessions run, these hold names so that nothing can be planted there"
END = "# agent-session: end"
HEAD = re.compile(rf"{re.escape(BEGIN)}(?: \((.*)\))?\n")
LARGEST = 1_000_000
WALK = getattr(os, "O_PATH", os.O_RDONLY)
"""A directory on the way need not be readable."""


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    """A file of this content, or (None) an empty directory, that holds a name while sessions run.

    A file in a working tree has a `pattern` in the file `exclude`, so that it is not committed.
    """

    path: Path
    content: str | None = None
    exclude: Path | None = None
    pattern: str = ""


MARK = 1_000_000_000
"""The time, in seconds, that a placeholder was last changed: what tells it from a file of the user's that
looks the same."""


def is_placeholder(placeholder: Placeholder) -> bool:
    """Whether its path is still as we made it."""
    try:
        found = placeholder.path.lstat()
        if found.st_mtime != MARK:
            return False
        if placeholder.content is None:
            return stat.S_ISDIR(found.st_mode) and not any(placeholder.path.iterdir())
        return stat.S_ISREG(found.st_mode) and found.st_size == len(placeholder.content.encode())
    except OSError:
        return False


@contextmanager
def held() -> Iterator[None]:
    """No other process makes or removes placeholders in this block; it is short, so waiting is silent."""
    with lock(paths.runtime_folder(), "placeholders", waiting=lambda _pid: None):
        yield


@contextmanager
def made(placeholders: Sequence[Placeholder]) -> Iterator[None]:
    """Make the missing ones; none is removed until the end of the block, in which a container starts."""
    if not placeholders:
        yield
        return
    with held():
        _make_all(placeholders)
        yield


def _make_all(placeholders: Iterable[Placeholder]) -> None:
    # One whose directory is gone, or is no directory, is left to Podman to complain about.
    excludes: dict[Path, set[str]] = {}
    for placeholder in placeholders:
        with _directory(placeholder.path.parent) as parent:
            if parent is not None:
                _make(placeholder, parent)
        if placeholder.exclude and is_placeholder(placeholder):
            excludes.setdefault(placeholder.exclude, set()).add(placeholder.pattern)
    for file, patterns in excludes.items():
        _exclude(file, add=patterns, keep=None)


def any_left(placeholders: Iterable[Placeholder]) -> bool:
    """Whether one of them is still on the host."""
    return any(is_placeholder(placeholder) for placeholder in placeholders)


def clear(over: Iterable[Placeholder], needed: Sequence[Placeholder]) -> None:
    """Remove those that are over, except what a running session needs."""
    kept = {placeholder.path for placeholder in needed}
    patterns: dict[Path | None, set[str]] = {}
    for placeholder in needed:
        patterns.setdefault(placeholder.exclude, set()).add(placeholder.pattern)
    files = set()
    for placeholder in over:
        if placeholder.path in kept:
            continue
        if is_placeholder(placeholder):
            with _directory(placeholder.path.parent) as parent:
                if parent is not None:
                    _remove(placeholder, parent)
        if placeholder.exclude:
            files.add(placeholder.exclude)
    for file in files:
        _exclude(file, add=set(), keep=patterns.get(file, set()))


def _make(placeholder: Placeholder, parent: int) -> None:
    name = placeholder.path.name
    before = os.fstat(parent)
    try:
        if placeholder.content is None:
            os.mkdir(name, 0o755, dir_fd=parent)
        else:
            made = os.open(
                name,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o644,
                dir_fd=parent,
            )
            with os.fdopen(made, "wb") as file:
                file.write(placeholder.content.encode())
    except OSError:
        return  # it exists, or may not be made: then the agent cannot make it either
    os.utime(name, (MARK, MARK), dir_fd=parent, follow_symlinks=False)
    _set_times_back(parent, before)


def _set_times_back(directory: int, before: os.stat_result) -> None:
    """As far as that may be done: in a directory of a group only its owner may."""
    with suppress(PermissionError):
        os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def _remove(placeholder: Placeholder, parent: int) -> None:
    before = os.fstat(parent)
    try:
        (os.rmdir if placeholder.content is None else os.unlink)(placeholder.path.name, dir_fd=parent)
    except OSError:
        return
    _set_times_back(parent, before)


def _exclude(file: Path, *, add: set[str], keep: set[str] | None) -> None:
    """Rewrite our lines in a repository's info/exclude: `add` some, keep of the others only `keep`.

    With `keep` None all others stay. The first line remembers, in brackets, what else we had to make, so that
    nothing of it stays.
    """
    made = ""
    with _directory(file.parent.parent) as git:
        if git is not None and add and not (file.parent.is_symlink() or file.parent.exists()):
            os.mkdir(file.parent.name, 0o755, dir_fd=git)
            made = "new directory"
    with _directory(file.parent) as info:
        if info is None:
            return
        text = _read(file.name, info)
        known, had, rest = _own_lines(text or "")
        if had:
            made = known
        elif not made:
            made = "new file" if text is None else "new line" if rest and not rest.endswith("\n") else ""
        lines = (had if keep is None else had & keep) | add
        if lines == had:
            return
        head = ("\n" if made == "new line" else "") + BEGIN + (f" ({made})" if made else "") + "\n"
        block = head + "".join(f"{line}\n" for line in sorted(lines)) + f"{END}\n" if lines else ""
        gone = not block and not rest and made in {"new file", "new directory"}
        _write(file.name, info, rest + block, gone=gone)
    if gone and made == "new directory":
        with _directory(file.parent.parent) as git:
            if git is not None:
                os.rmdir(file.parent.name, dir_fd=git)


def _own_lines(text: str) -> tuple[str, set[str], str]:
    """What our first line remembers, our other lines, and all that is not ours.

    Ours are the last that are complete: an agent may write more such lines.
    """
    whole = f"\n{text}"
    last = whole.rfind(f"\n{END}\n")
    begin = whole.rfind(f"\n{BEGIN}", 0, last) if last >= 0 else -1
    end = whole.find(f"\n{END}\n", begin)
    head = HEAD.match(whole, begin + 1) if begin >= 0 else None
    if head is None:
        return "", set(), text
    before = whole[1 : begin + 1].removesuffix("\n" if head[1] == "new line" else "")
    return head[1] or "", set(whole[head.end() : end + 1].splitlines()), before + whole[end + len(END) + 2 :]


def _read(name: str, directory: int) -> str | None:
    """The text of a regular file, None where there is none."""
    try:
        return nofollow.read(directory, name, largest=LARGEST).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _write(name: str, directory: int, text: str, *, gone: bool) -> None:
    if gone:
        os.unlink(name, dir_fd=directory)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, 0o644, dir_fd=directory)
    except OSError:
        return
    with os.fdopen(descriptor, "wb") as file:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= LARGEST:
            file.truncate(0)
            file.write(text.encode("utf-8", "surrogateescape"))


@contextmanager
def _directory(path: Path) -> Iterator[int | None]:
    """A descriptor of a directory, reached through no link; None where there is none to be reached so."""
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open("/", flags | WALK)
    try:
        for name in path.parts[1:-1]:
            descriptor = _below(name, flags | WALK, descriptor)
        descriptor = _below(path.name, flags | os.O_RDONLY, descriptor)
    except OSError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _below(name: str, flags: int, directory: int) -> int:
    below = os.open(name, flags, dir_fd=directory)
    os.close(directory)
    return below
