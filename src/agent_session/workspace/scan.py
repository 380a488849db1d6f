"""A look at the projects' real trees for what must be protected from the agent; changes nothing.

No link is followed. What concerns git directories is in git_directories.py; the paths of working trees are
those of protected.yaml.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from agent_session.workspace import protect_mode, repositories
from agent_session.workspace.errors import IgnoresCase, NothingProtected, TooManyRepositories
from agent_session.workspace.git_directories import protect_directory, protect_git
from agent_session.workspace.mount_plan import MountPlan, Place
from agent_session.workspace.projects import Project
from agent_session.workspace.protected_paths import Entry, entries
from agent_session.workspace.protection import Protection, Watched

SAMPLES = 20
NOTHING_KNOWN: Mapping[PurePosixPath, Sequence[str]] = MappingProxyType({})
MOST_REPOSITORIES = 200
"""Of one project: each takes a dozen mounts, and one that is left out silently would not be protected."""
HEAD = Entry(
    path="HEAD",
    kind="directory",
    why="with objects and refs beside it the directory is a repository, whose config git obeys",
)
"""What `--protect strict` holds besides: it cannot be watched, as it is a name like any other."""


def protect(
    trees: Sequence[Project],
    unprotected: Sequence[str] = (),
    *,
    mode: str = protect_mode.REVIEW,
    insisted: bool = True,
    known: Mapping[PurePosixPath, Sequence[str]] = NOTHING_KNOWN,
) -> Protection:
    """Protect these writable directories, without the paths in `unprotected` (relative to one of them).

    `known` are repositories that were protected before, by a project's place in the container: they are so
    again, however many files an agent has put in front of them. Raises CannotProtect for a path no mount can
    protect, TooManyRepositories, IgnoresCase; with `insisted` NothingProtected for an unprotected path that
    is not protected anyway.
    """
    plan = MountPlan(mode=mode, opted_out=tuple(os.path.normpath(path) for path in unprotected))
    for tree in trees:
        inner = [other.source for other in trees if tree.source in other.source.parents]
        before = [tree.source / root for root in known.get(tree.target, ())]
        _protect_tree(plan, tree, [*inner, *(root for root in before if _is_repository(tree.source, root))])
    unknown = [path for path in plan.opted_out if path not in plan.used]
    if unknown and insisted:
        raise NothingProtected(unknown[0], sorted({path for path in plan.known if "/modules/" not in path}))
    return Protection(
        mounts=tuple(plan.mounts.values()),
        placeholders=tuple(plan.placeholders.values()),
        watched=tuple(plan.watched),
        git=tuple(dict.fromkeys(plan.git)),
        notes=tuple(plan.notes),
    )


def _is_repository(top: Path, root: Path) -> bool:
    """Whether a directory has a `.git` and is reached through no link."""
    return Path(os.path.realpath(root)) == root and top in (root, *root.parents) and (root / ".git").exists()


def _check_case(plan: MountPlan, tree: Path) -> None:
    """Refuse or remark on a file system on which a name can be written in another case."""
    if not ignores_case(tree):
        return
    if plan.mode == protect_mode.STRICT:
        raise IgnoresCase(tree)
    plan.notes.append(
        f"{tree} is on a file system that ignores case: whether git's config and hooks are kept from the "
        "agent there, also under names in another case, was never tested"
    )


def ignores_case(tree: Path) -> bool:
    """Whether names in a directory, or its own, mean the same in another case."""
    for place in (*islice(tree.iterdir(), SAMPLES), tree):
        other = place.with_name(place.name.swapcase())
        if other == place:
            continue
        try:
            same = os.path.samestat(place.lstat(), other.lstat())
            return same and all(one.name != other.name for one in place.parent.iterdir())
        except OSError:
            return False
    return False


def _protect_tree(plan: MountPlan, tree: Project, inner: Sequence[Path]) -> None:
    """Protect one writable directory, the other ones in it and all repositories in it."""
    found = repositories.find(tree.source, skip=plan.opted_out)
    if len(found.roots) + len(found.bare) > MOST_REPOSITORIES:
        raise TooManyRepositories(tree.source, [*found.roots, *found.bare], MOST_REPOSITORIES)
    if not found.complete:
        plan.notes.append(
            f"{tree.source} is very large: repositories deep inside it may be unprotected from the agent"
        )
    for path in plan.opted_out:
        left = tree.source / path
        if path not in plan.used and left.is_dir() and repositories.find(left).roots:
            plan.used.add(path)
    _check_case(plan, tree.source)
    top = Place(source=tree.source, target=tree.target, name=".")
    roots = [
        top.at(root)
        for root in dict.fromkeys((tree.source, *found.roots, *inner))
        if root == tree.source or not repositories.made_in_a_session(root)
    ]
    pointers = {
        place: at
        for place in roots
        if (place.source / ".git").is_file() and (at := repositories.pointer(place.source))
    }
    for place in roots:
        if plan.closed(place):
            continue
        plan.way_to(top, place)
        for entry in (*entries("repository"), *([HEAD] if plan.mode == protect_mode.STRICT else [])):
            plan.guard(top, place.below(entry.path), entry)
        protect_git(plan, top, place, pointers.get(place))
    for git in (top.at(path) for path in found.bare):
        if not plan.closed(git):
            protect_directory(plan, top, git)
    plan.watched.append(
        Watched(
            tree=tree.target,
            roots=tuple(root.name for root in roots),
            repositories=tuple(top.at(path).name for path in found.roots),
            bare=tuple(top.at(path).name for path in found.bare),
            named=tuple(plan.named.items()),
        )
    )
    plan.named.clear()
