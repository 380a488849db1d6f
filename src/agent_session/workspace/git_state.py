"""What an agent could leave in a git directory for git on the host: commands, links in its way.

Git writes COMMIT_EDITMSG, FETCH_HEAD, reflogs, its index and more through a link that has their name.
"""

import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent_session.host import nofollow
from agent_session.host.git_keys import COMMANDS
from agent_session.workspace import git_config, repositories

MOST_ENTRIES = 100_000
DEEPEST = 24
MOVED_ASIDE = "agent-session-links"
"""Where session-guard (git_links.c) moves links and pipes that appear in a git directory."""
CONFIGS = frozenset({"config", "config.worktree"})
DIVERTING = re.compile(
    r"url\..*\.(push)?insteadof|protocol\.(.*\.)?allow|core\.attributesfile"
    r"|http\.(.*\.)?(proxy|sslverify|sslcainfo|sslcapath|cookiefile|extraheader)",
    re.DOTALL,
)
"""Keys that send git, and the user's logins with it, elsewhere."""

State = dict[str, list[str]]
"""By path in a git directory: the keys with their values of a config, or where a link leads."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """Something that was not there before: a link, a pipe, or keys of a config; `path` is in `git`."""

    git: Path
    path: str
    items: tuple[str, ...]

    @property
    def is_config(self) -> bool:
        """Whether it is a config with new keys."""
        return self.path.rpartition("/")[2] in CONFIGS and not self.items[0].startswith(("-> ", "a pipe"))

    @property
    def keys(self) -> tuple[str, ...]:
        """The new keys of a config."""
        return tuple(sorted({item.partition("=")[0] for item in self.items})) if self.is_config else ()

    @property
    def why(self) -> str:
        """What git does with it, in words."""
        if self.is_config:
            return f"git runs what it says, or goes where it says; new: {', '.join(self.keys)}"
        what = self.items[0].removeprefix("-> ")
        if MOVED_ASIDE in Path(self.path).parts:
            return f"it appeared in git's way, and the session's guard has moved it there: {what}"
        return f"git waits at it or writes through it when it has that name to write: {what}"

    def seen_from(self, source: Path) -> str:
        """Its path relative to a project; the whole one where it is elsewhere."""
        host = self.git / self.path
        return host.relative_to(source).as_posix() if source in host.parents else str(host)


def directory(root: Path) -> Path | None:
    """The git directory of a repository's root, or of the worktree's repository; None where it has none."""
    git = root / ".git"
    if git.is_symlink():
        return None
    if git.is_dir():
        return git
    pointer = repositories.pointer(root)
    return pointer.main if pointer else None


def look(git: Path, *, deadline: float) -> tuple[State, bool]:
    """What is in a git directory of all that, and whether the whole of it was looked at."""
    walk = _Walk(deadline=deadline)
    try:
        opened = nofollow.open_directory(git)
    except OSError:
        return {}, True
    try:
        walk.directory(opened, "", 0)
    finally:
        os.close(opened)
    return walk.found, walk.complete


def left(git: Path, known: Mapping[str, list[str]], now: State) -> Iterator[Left]:
    """What is there beside all that is known."""
    for path, items in sorted(now.items()):
        if new := [item for item in items if item not in known.get(path, ())]:
            yield Left(git=git, path=path, items=tuple(new))


def left_in(
    source: Path, known: Mapping[str, State], *, left_out: Collection[str], deadline: float
) -> tuple[list[Left], bool]:
    """What the git directories of a project hold beside what is known of each root.

    Roots whose `.git` is in `left_out` are passed over. Also whether all was looked at.
    """
    found: list[Left] = []
    complete = True
    for root, before in known.items():
        git = directory(source / root)
        if git is None or (".git" if root == "." else f"{root}/.git") in left_out:
            continue
        now, whole = look(git, deadline=deadline)
        complete = complete and whole
        found += left(git, before, now)
    return found, complete


def know(
    known: dict[str, State], source: Path, roots: Iterable[str], paths: Iterable[str], *, seconds: float = 5.0
) -> None:
    """Take over what these paths hold now, relative to a project, and all of repositories that are new."""
    accepted = {source / path for path in paths}
    for root in roots:
        git = directory(source / root)
        if git is None or not (root not in known or any(git in path.parents for path in accepted)):
            continue
        now, _ = look(git, deadline=time.monotonic() + seconds)
        if root not in known:
            known[root] = now
        else:
            known[root] |= {path: items for path, items in now.items() if git / path in accepted}


@dataclass(kw_only=True)
class _Walk:
    """A walk through one git directory, by descriptor and through no link."""

    deadline: float
    found: State = field(default_factory=dict)
    complete: bool = True
    _left: int = field(default_factory=lambda: MOST_ENTRIES)

    def directory(self, opened: int, prefix: str, depth: int) -> None:
        """Look at all names in a directory, and below it."""
        with os.scandir(opened) as entries:
            for entry in entries:
                self._left -= 1
                if self._left < 0 or depth > DEEPEST or time.monotonic() > self.deadline:
                    self.complete = False
                    return
                self._entry(opened, entry, prefix + entry.name, depth)

    def _entry(self, opened: int, entry: os.DirEntry[str], path: str, depth: int) -> None:
        try:
            if entry.is_symlink():
                self.found[path] = [f"-> {os.readlink(entry.name, dir_fd=opened)}"]
            elif entry.is_dir(follow_symlinks=False):
                if not _is_passed_over(path):
                    self._below(opened, entry.name, path, depth)
            elif entry.name in CONFIGS and _has_config(path):
                if items := _items(opened, entry.name):
                    self.found[path] = items
            elif not entry.is_file(follow_symlinks=False) and not path.endswith(".ipc"):
                self.found[path] = ["a pipe, socket or device"]
        except OSError:
            return  # it has gone meanwhile

    def _below(self, opened: int, name: str, path: str, depth: int) -> None:
        below = nofollow.open_directory(opened, name)
        try:
            self.directory(below, f"{path}/", depth + 1)
        finally:
            os.close(below)


def _is_passed_over(path: str) -> bool:
    """Whether git writes only new files of unforeseeable names there, or a session has a copy of its own."""
    above, _, name = path.rpartition("/")
    if name == "hooks":
        return not above or above.split("/")[0] == "modules"
    if len(name) == 2 and above.rpartition("/")[2] == "objects":
        return not {"refs", "logs"} & set(above.split("/"))
    return path in {"lfs", "annex"}


def _has_config(path: str) -> bool:
    return "/" not in path or path.startswith(("modules/", "worktrees/"))


def _items(opened: int, name: str) -> list[str]:
    """The settings of a config that run something or lead elsewhere."""
    text = nofollow.read(opened, name, largest=git_config.LARGEST).decode("utf-8", "surrogateescape")
    pairs = git_config.parse(text)
    return sorted({f"{k}={v}" for k, v in pairs if COMMANDS.fullmatch(k) or DIVERTING.fullmatch(k)})
