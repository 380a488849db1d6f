"""Git repositories in a project that were not there when its session was made.

Git and whatever asks git (a prompt, an editor) obeys the config of any repository that it is in. Nothing of
them is run or followed here.
"""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from agent_session.host import nofollow
from agent_session.workspace import git_config, repositories


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository: `path` is that of its `.git`, or of its HEAD where it is a git directory by itself.

    `keys` are those of its config that name commands, or files with more of them.
    """

    path: str
    root: str
    bare: bool
    keys: tuple[str, ...]


def find(
    source: Path, roots: Collection[str], bare: Collection[str], *, skip: Collection[str], deadline: float
) -> tuple[list[Repository], bool]:
    """The repositories beside those that are known, and whether all of the project was looked at.

    Directories in `skip` are not looked into.
    """
    found = repositories.find(source, skip=skip, deadline=deadline)
    new = []
    for place in found.roots:
        root = place.relative_to(source).as_posix()
        git = place / ".git"
        if root in roots or _is_worktree_of(place, source, roots):
            continue
        keys = git_config.command_keys(_pointed(git) if git.is_file() else git)
        new.append(Repository(path=_joined(root, ".git"), root=root, bare=False, keys=tuple(keys)))
    for place in found.bare:
        root = place.relative_to(source).as_posix()
        if root not in bare:
            keys = git_config.command_keys(place)
            new.append(Repository(path=_joined(root, "HEAD"), root=root, bare=True, keys=tuple(keys)))
    return new, found.complete


def _is_worktree_of(place: Path, source: Path, roots: Collection[str]) -> bool:
    """Whether it is a worktree of a repository that is known: that one's config counts, which is guarded."""
    pointer = repositories.pointer(place)
    if pointer is None or pointer.worktree is None:
        return False
    return any(pointer.main == source / root / ".git" for root in roots)


def _pointed(git: Path) -> Path:
    """The directory that a `.git` file names."""
    try:
        said = nofollow.read(git, largest=4096).decode("utf-8", "surrogateescape")
    except OSError:
        return git
    match = re.match(r"gitdir: (.+)", said)
    return Path(os.path.normpath(git.parent / match[1].strip())) if match else git


def _joined(root: str, name: str) -> str:
    return name if root == "." else f"{root}/{name}"
