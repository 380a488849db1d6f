"""The git directories of a project: which parts of them the agent must not change, as mounts.

Git runs the commands in config and the files in hooks; the rest of a git directory is git's own to write.
"""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.workspace import git_config, protect_mode, repositories
from agent_session.workspace.mount_plan import MountPlan, Place
from agent_session.workspace.protected_paths import Entry, entries

UNTOLD = re.compile(r"[^A-Za-z0-9_.-]")


def protect_git(plan: MountPlan, top: Place, root: Place, pointer: repositories.Pointer | None) -> None:
    """Protect a root's `.git`, of any kind."""
    git = root.below(".git")
    if not os.path.lexists(git.source):
        if plan.mode == protect_mode.STRICT:
            plan.hold(git, Entry(path=".git", kind="directory", why=""))
        return
    if git.source.is_dir() and not git.source.is_symlink():
        (_bare_directory if repositories.is_bare(git.source) else _git_directory)(plan, git)
    else:
        plan.hold(git, Entry(path=".git", kind="file", why=""))
        if pointer:
            _elsewhere(plan, top, root, pointer)
        elif not plan.leaves_out(git):
            plan.notes.append(
                f"{git.source} points to no worktree, submodule or repository that knows of it; not mounted"
            )
    if not plan.leaves_out(git):
        _named_by_config(plan, top, root, pointer.main if pointer else git.source)


def protect_directory(plan: MountPlan, top: Place, git: Place) -> None:
    """Protect a git directory that is not called `.git`."""
    plan.way_to(top, git)
    (_bare_directory if git != top and repositories.is_bare(git.source) else _git_directory)(plan, git)


def _elsewhere(plan: MountPlan, top: Place, root: Place, pointer: repositories.Pointer) -> None:
    """Mount the git directory of a worktree or submodule where its pointer expects it.

    One in the same tree is mounted already.
    """
    expected = pointer.expected(root.target)
    if top.source in pointer.main.parents and top.target / pointer.main.relative_to(top.source) == expected:
        return
    hidden = [
        name
        for name in inside.DIRECTORIES
        if expected == PurePosixPath(name) or PurePosixPath(name) in expected.parents
    ]
    if hidden and hidden != [str(inside.WORKSPACE)]:
        plan.notes.append(
            f"{root.source} has its git directory at {expected}, which is the container's own; git will "
            "not work there"
        )
        return
    _git_directory(plan, Place(source=pointer.main, target=expected, name=root.below(".git").name))


def _git_directory(plan: MountPlan, git: Place) -> None:
    """Protect a git directory that is worked with: writable except for the parts that run on the host."""
    if plan.leaves_out(git):
        return
    if git.name != ".":
        plan.mount(git, read_only=False)
    for entry in entries("git"):
        plan.hold(git.below(entry.path), entry)
    for path in repositories.submodules(git.source):
        _git_directory(plan, git.at(path))
    _known_to_git(plan, git)


def _bare_directory(plan: MountPlan, git: Place) -> None:
    """Protect a bare git directory: read-only, its data writable.

    A commondir would make git on the host forget that it is bare.
    """
    if plan.leaves_out(git):
        return
    plan.mount(git, read_only=True)
    for name in ("objects", "refs", "logs", "info", "lfs"):
        if (git.source / name).is_dir() and not (git.source / name).is_symlink():
            plan.mount(git.below(name), read_only=False)
    _known_to_git(plan, git)


def _known_to_git(plan: MountPlan, git: Place) -> None:
    """Mount the worktrees of a git directory, and tell the container's `git` of them all."""
    places = [(git, "")]
    for name in sorted(plan.worktrees.get(git.source, ())):
        worktree = git.below(f"worktrees/{name}")
        plan.mount(worktree, read_only=False)
        for entry in entries("git"):
            if entry.path in {"commondir", "config.worktree"}:
                plan.hold(worktree.below(entry.path), entry)
        places.append((worktree, f".{re.sub(UNTOLD, '_', name)}"))
    if not plan.leaves_out(git.below("config")):
        name = re.sub(UNTOLD, "_", git.source.parent.name if git.source.name == ".git" else git.source.name)
        key = f"{name}-{hashlib.sha256(os.fsencode(git.source)).hexdigest()[:8]}"
        plan.git += [(key + suffix, place.target) for place, suffix in places]


def _named_by_config(plan: MountPlan, top: Place, root: Place, git: Path) -> None:
    """Hold the files in the tree that git's config names as commands or as more config, and its hooks."""
    for key, path in git_config.paths_named(root.source, git):
        if top.source not in path.parents or ".git" in path.parts or plan.closed(top.at(path)):
            continue
        hooks = key == "core.hookspath"
        if path.is_file() or (
            hooks and (path.is_dir() or (not os.path.lexists(path) and path.parent.is_dir()))
        ):
            kind = "directory" if hooks else "file"
            why = f"git runs it, or what it says: {key} in git's config names it"
            plan.named[top.at(path).name] = key
            plan.guard(top, top.at(path), Entry(path=path.name, kind=kind, why=why, placeholder=""))
