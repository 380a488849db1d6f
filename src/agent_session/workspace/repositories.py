"""The repositories in a directory and their git directories, looked for without changing anything.

The tree belongs to an agent: links are not followed, a pointer (a `.git` file) is believed only where what it
points to points back.
"""

import math
import os
import re
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.host import nofollow

ENTRIES = 100_000
BULKY = frozenset(
    {
        "node_modules",
        "target",
        ".venv",
        "venv",
        "__pycache__",
        "site-packages",
        ".tox",
        "vendor",
        "build",
        "dist",
    }
)
"""Looked into last: where the walk ends early, it ends in one of these."""

SESSIONS = (f"{inside.WORKSPACE}/", f"{inside.HOME}/", "/tmp/")
"""Where in a container an agent can make a worktree."""
GIT_PARTS = frozenset({"HEAD", "objects", "refs"})


@dataclass(frozen=True, kw_only=True)
class Found:
    """The repositories of a tree.

    `roots` are directories with a `.git`, the tree's own top only if it has one. `bare` are git directories
    of other names.

    `complete` is false where the walk stopped early.
    """

    roots: tuple[Path, ...]
    bare: tuple[Path, ...]
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """A `.git` file: `said` is the path in it, `git` its real target, `worktree` the name of a worktree."""

    said: str
    git: Path
    worktree: str | None = None

    @property
    def main(self) -> Path:
        """The git directory that has the config: a worktree's is two levels up."""
        return self.git.parents[1] if self.worktree else self.git

    def expected(self, root: PurePosixPath) -> PurePosixPath:
        """Where a container that has the root there must have `main` for the pointer to work."""
        git = PurePosixPath(os.path.normpath(root / self.said))
        return git.parents[1] if self.worktree else git


def find(tree: Path, *, skip: Collection[str] = (), deadline: float = math.inf) -> Found:
    """All repositories in a tree, parents first; about 30 ms for 10,000 files.

    Directories in `skip` (relative paths) are not looked into; time.monotonic() does not pass the deadline.
    """
    skipped = {tree / path for path in skip}
    roots: list[Path] = []
    bare: list[Path] = []
    near, far = deque([tree]), deque[Path]()
    seen = 0
    while (near or far) and seen < ENTRIES and time.monotonic() < deadline:
        directory = near.popleft() if near else far.popleft()
        if directory in skipped:
            continue
        names, below = set(), []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    seen += 1
                    if seen > ENTRIES:
                        near.append(directory)  # not all of it was seen
                        break
                    names.add(entry.name)
                    if entry.is_dir(follow_symlinks=False) and entry.name != ".git":
                        below.append(entry.name)
        except OSError:
            continue  # the agent cannot look there either
        if ".git" in names:
            roots.append(directory)
        if names >= GIT_PARTS:  # also beside a .git, which need not be one: git goes on to this one
            bare.append(directory)
            if ".git" not in names:
                continue
        for name in below:
            (far if name in BULKY else near).append(directory / name)
    return Found(roots=tuple(roots), bare=tuple(bare), complete=not (near or far))


def submodules(git: Path) -> Iterator[Path]:
    """The git directories below `modules` of one, and theirs, parents first."""
    for directory, names, files in os.walk(git / "modules"):
        if {*names, *files} >= GIT_PARTS:
            yield Path(directory)
            yield from submodules(Path(directory))
            names.clear()


def worktrees(git: Path) -> Iterator[tuple[Path, bool]]:
    """The directories of a git directory's worktrees, and whether the worktree is one of a session.

    The path of one of the host is not the agent's to change. One in a session has a path that only containers
    have.
    """
    try:
        with os.scandir(git / "worktrees") as entries:
            found = sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for place in found:
        path = _text(place / "gitdir").strip()
        yield place, path.startswith(SESSIONS) and not os.path.lexists(path)


def is_bare(git: Path) -> bool:
    """Whether its config says so."""
    return re.search(r"(?im)^\s*bare\s*(=\s*(true|yes|on|1)\s*)?$", _text(git / "config")) is not None


def pointer(root: Path) -> Pointer | None:
    """Read the `.git` file of a root if it points to a worktree or submodule of this very root, else None."""
    match = re.match(r"gitdir: (.+)", _text(root / ".git"))
    if not match:
        return None
    said = match[1].strip()
    git = Path(os.path.realpath(root / said))
    if git.parent.name == "worktrees" and _same(git, _text(git / "gitdir"), root / ".git"):
        if Path(os.path.realpath(git / _text(git / "commondir").strip())) == git.parents[1]:
            return Pointer(said=said, git=git, worktree=git.name)
        return None
    work = re.search(r"(?im)^\s*worktree\s*=\s*(.+)$", _text(git / "config"))
    if "modules" in git.parts and work and _same(git, work[1], root):
        return Pointer(said=said, git=git)
    return None


def pointed_to(file: Path) -> Path | None:
    """Where a `.git` file says that its git directory is, whether that knows of it or not."""
    match = re.match(r"gitdir: (.+)", _text(file))
    return Path(os.path.realpath(file.parent / match[1].strip())) if match else None


def made_in_a_session(root: Path) -> bool:
    """Whether a root is a worktree that a session made, by where it says that its git directory is."""
    match = re.match(r"gitdir: (.+)", _text(root / ".git"))
    path = match[1].strip() if match else ""
    return path.startswith(SESSIONS) and not os.path.lexists(path)


def enclosing(directory: Path) -> Path | None:
    """The root of the repository that a directory is in, itself included."""
    return next((place for place in (directory, *directory.parents) if os.path.lexists(place / ".git")), None)


def common(root: Path) -> Path | None:
    """The git directory with the config of a repository's root; None where that is none of ours to know."""
    if (root / ".git").is_symlink():
        return None
    if (root / ".git").is_dir():
        return root / ".git"
    found = pointer(root)
    return found.main if found else None


def _same(base: Path, text: str, place: Path) -> bool:
    return bool(text.strip()) and os.path.realpath(base / text.strip().strip('"')) == os.path.realpath(place)


def _text(file: Path) -> str:
    """A small regular file's text, "" for anything else."""
    try:
        return nofollow.read(file, largest=1_000_000).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
