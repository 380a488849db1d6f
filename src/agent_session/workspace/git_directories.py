"""The git directories of a project: which parts of them the agent must not change, as mounts.

Git runs the commands in config and the files in hooks; the rest of a git directory is git's own to write.
"""

import os
import shlex
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.workspace import git_config, protect_mode, repositories
from agent_session.workspace.mount_plan import MountPlan, Place
from agent_session.workspace.protected_paths import Entry, entries


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
            _say_what_is_not_mounted(plan, top, git)
    if not plan.leaves_out(git):
        _named_by_config(plan, top, root, pointer.main if pointer else git.source)


def _say_what_is_not_mounted(plan: MountPlan, top: Place, git: Place) -> None:
    """Say that a `.git` file points elsewhere than into its own tree, and how git works there."""
    target = repositories.pointed_to(git.source)
    if target is None or top.source in target.parents:
        return
    line = (
        f"{git.source} points to {target}, which does not know of it and is not mounted: git does not work "
        "there"
    )
    own = git.source.parent == top.source and (target / "objects").is_dir() and (target / "HEAD").is_file()
    plan.notes.append(f"{line}; start it with AGENT_SESSION_KOB={shlex.quote(str(target))}" if own else line)


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
    """Protect a git directory that is worked with: git's own, except for the parts that run on the host."""
    if plan.leaves_out(git):
        return
    if git.name != ".":
        plan.mount(git, read_only=False)
    for entry in entries("git"):
        plan.hold(git.below(entry.path), entry)
    _hold_what_config_names(plan, git)
    for path in repositories.submodules(git.source):
        _git_directory(plan, git.at(path))
    _known_to_git(plan, git)


def _hold_what_config_names(plan: MountPlan, git: Place) -> None:
    """Hold what is in a git directory and named by its config as a command, hooks or more config."""
    for key, path in git_config.paths_named(git.source.parent, git.source):
        hooks = key == "core.hookspath" and path.is_dir()
        if (
            git.source in path.parents
            and git.at(path).target not in plan.mounts
            and (hooks or path.is_file())
        ):
            kind = "directory" if hooks else "file"
            plan.way_to(git, git.at(path.parent))
            plan.hold(git.at(path), Entry(path=path.name, kind=kind, why=key, placeholder=""))


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
    for entry in entries("git"):
        if entry.path == "worktrees":
            plan.hold(git.below(entry.path), entry)
    _known_to_git(plan, git)


def _known_to_git(plan: MountPlan, git: Place) -> None:
    """Hold what leads git elsewhere in the host's worktrees; list them for the container's git."""
    places = [git]
    for path, in_session in repositories.worktrees(git.source):
        worktree = git.at(path)
        if in_session or plan.leaves_out(worktree):
            continue
        plan.mount(worktree, read_only=False)
        for entry in entries("worktree"):
            plan.hold(worktree.below(entry.path), entry)
        places.append(worktree)
    if not plan.leaves_out(git.below("config")):
        plan.git += [place.target for place in places]


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
