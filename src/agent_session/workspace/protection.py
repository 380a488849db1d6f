"""The parts of mounted directories that the agent must not change, protected by mounts over mounts.

protected.yaml says which paths, and why. A directory that merely contains mount points can be renamed and
another put in its place, so every directory on the way to a protected path is a mount point too, a writable
one of itself. A path that does not exist yet is held by a placeholder (placeholders.py). Reads the real tree,
follows no link, changes nothing.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.engine.protocol import Mount
from agent_session.errors import CannotProtect, NothingProtected
from agent_session.workspace import repositories
from agent_session.workspace.placeholders import Placeholder, is_placeholder
from agent_session.workspace.projects import Project

VARIABLE = "AGENT_SESSION_PROTECTED_GIT"
"""In the container: a line `KEY PATH` for each git directory whose config is not the agent's; read by its
`git`."""

UNTOLD = re.compile(r"[^A-Za-z0-9_.-]")
COMMANDS = (
    r"core\.(fsmonitor|sshcommand|pager|editor|askpass|gitproxy|hookspath|alternaterefscommand)"
    r"|sequence\.editor|alias\..*|pager\..*|include(if\..*)?\.path"
    r"|(filter|diff|merge|difftool|mergetool|trailer|browser|man)"
    r"\..*\.(clean|smudge|process|command|textconv|driver|cmd|path)"
    r"|diff\.external|gpg\.(.*\.)?program|credential\.(.*\.)?helper"
    r"|interactive\.difffilter|remote\..*\.(receivepack|uploadpack)"
)
"""Keys of git's config whose value is a command, or a file with more of them."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of protected.yaml. `placeholder`: a file's content, None for a directory."""

    path: str
    kind: str
    why: str
    placeholder: str | None
    refuses: bool = False


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The protection of a container: mounts in any order, `git` as in VARIABLE, notes for the user."""

    mounts: tuple[Mount, ...] = ()
    placeholders: tuple[Placeholder, ...] = ()
    git: tuple[tuple[str, PurePosixPath], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of all that a container is made with; not of which paths are placeholders today."""
        mounts = sorted((str(m.target), m.source, m.read_only) for m in self.mounts)
        return _hex(repr((mounts, sorted(self.git))).encode())[:16]

    @property
    def environment(self) -> dict[str, str]:
        """The variables for the container's `git`."""
        return {VARIABLE: "\n".join(f"{key} {path}" for key, path in self.git)} if self.git else {}

    def label(self) -> str:
        """Write what `read_label` reads."""
        placeholders = [
            [str(p.path), p.content, str(p.exclude) if p.exclude else None, p.pattern]
            for p in self.placeholders
        ]
        return json.dumps({"digest": self.digest, "placeholders": placeholders}, ensure_ascii=False)


NONE = Protection()


def read_label(label: str) -> tuple[str, tuple[Placeholder, ...]]:
    """Read the digest and the placeholders that a container was made with.

    Any program can write a label, so an unreadable one is read as ("", ()).
    """
    try:
        record = json.loads(label)
        placeholders = tuple(
            Placeholder(
                path=Path(path), content=content, exclude=Path(exclude) if exclude else None, pattern=pattern
            )
            for path, content, exclude, pattern in record["placeholders"]
        )
        return str(record["digest"]), placeholders
    except (ValueError, TypeError, KeyError):
        return "", ()


@cache
def entries(scope: str) -> tuple[Entry, ...]:
    """The lines of protected.yaml, `git` or `repository`."""
    from agent_session.host.yaml_file import read_yaml  # as in _hex

    data: dict[str, list[dict[str, str]]] = read_yaml(Path(__file__).with_name("protected.yaml"))
    return tuple(
        Entry(
            path=line["path"],
            kind=line["kind"],
            why=line["why"],
            placeholder=None
            if line["kind"] == "directory" or line["placeholder"] == "directory"
            else line["placeholder"],
            refuses=bool(line.get("refuses")),
        )
        for line in data[scope]
    )


def guarded() -> list[str]:
    """The arguments of session-guard: the names of placeholders that are files, and their content."""
    lines = [line for scope in ("git", "repository") for line in entries(scope)]
    return [
        f"{PurePosixPath(line.path).name}={line.placeholder}"
        for line in lines
        if line.placeholder is not None
    ]


def protect(trees: Sequence[Project], unprotected: Sequence[str] = (), *, strict: bool = True) -> Protection:
    """Protect these writable directories, without the paths in `unprotected` (relative to one of them).

    Raises CannotProtect for a path no mount can protect; with `strict` NothingProtected for an unprotected
    path that is not protected anyway.
    """
    work = _Work(opted_out=tuple(os.path.normpath(path) for path in unprotected))
    for tree in trees:
        _tree(work, tree)
    unknown = [path for path in work.opted_out if path not in work.used]
    if unknown and strict:
        raise NothingProtected(unknown[0], sorted({path for path in work.known if "/modules/" not in path}))
    return Protection(
        mounts=tuple(work.mounts.values()),
        placeholders=tuple(work.placeholders.values()),
        git=tuple(dict.fromkeys(work.git)),
        notes=tuple(work.notes),
    )


@dataclass(kw_only=True)
class _Work:
    """Protection in the making."""

    opted_out: tuple[str, ...]
    mounts: dict[PurePosixPath, Mount] = field(default_factory=dict)
    placeholders: dict[Path, Placeholder] = field(default_factory=dict)
    git: list[tuple[str, PurePosixPath]] = field(default_factory=list)
    worktrees: dict[Path, set[str]] = field(default_factory=dict)
    """The mounted ones, by their main git directory."""
    notes: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A directory on the host and in the container; `name` is its path relative to the project."""

    source: Path
    target: PurePosixPath
    name: str

    def below(self, path: str) -> "_Place":
        """A place at a path relative to this one."""
        return _Place(
            source=self.source / path, target=self.target / path, name=os.path.normpath(f"{self.name}/{path}")
        )


def _tree(work: _Work, tree: Project) -> None:
    """Protect one writable directory and all repositories in it."""
    found = repositories.find(tree.source)
    if not found.complete:
        work.notes.append(
            f"{tree.source} is very large: repositories deep inside it may be unprotected from the agent"
        )
    top = _Place(source=tree.source, target=tree.target, name=".")
    roots = [_below(top, root) for root in dict.fromkeys((tree.source, *found.roots))]
    pointers = {
        place: at
        for place in roots
        if (place.source / ".git").is_file() and (at := repositories.pointer(place.source))
    }
    for at in pointers.values():
        if at.worktree:
            work.worktrees.setdefault(at.main, set()).add(at.worktree)
    for place in roots:
        if _closed(work, place):
            continue
        _way_to(work, top, place)
        for entry in entries("repository"):
            _hold(work, place.below(entry.path), entry)
        _git(work, top, place, pointers.get(place))
    for git in (_below(top, path) for path in found.bare):
        if not _closed(work, git):
            _way_to(work, top, git)
            (_bare_directory if git != top and repositories.is_bare(git.source) else _git_directory)(
                work, git
            )


def _git(work: _Work, top: _Place, root: _Place, pointer: repositories.Pointer | None) -> None:
    """Protect a root's `.git`, of any kind."""
    git = root.below(".git")
    if not os.path.lexists(git.source):
        enclosing = repositories.enclosing(root.source)
        # At the top of a tree inside a repository, a new one would take its place.
        if enclosing and enclosing != Path.home():
            _hold(work, git, Entry(path=".git", kind="directory", why="", placeholder=None))
        return
    if git.source.is_dir() and not git.source.is_symlink():
        (_bare_directory if repositories.is_bare(git.source) else _git_directory)(work, git)
    else:
        _hold(work, git, Entry(path=".git", kind="file", why="", placeholder=None))
        if pointer:
            _elsewhere(work, top, root, pointer)
        elif not _opted_out(work, git):
            work.notes.append(
                f"{git.source} points to no worktree, submodule or repository that knows of it; not mounted"
            )
    if not _opted_out(work, git):
        _named_by_config(work, top, root, pointer.main if pointer else git.source)


def _elsewhere(work: _Work, top: _Place, root: _Place, pointer: repositories.Pointer) -> None:
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
        work.notes.append(
            f"{root.source} has its git directory at {expected}, which is the container's own; git will "
            "not work there"
        )
        return
    _git_directory(work, _Place(source=pointer.main, target=expected, name=root.below(".git").name))


def _git_directory(work: _Work, git: _Place) -> None:
    """Protect a git directory that is worked with: writable except for the parts that run on the host."""
    if _opted_out(work, git):
        return
    if git.name != ".":
        _mount(work, git, read_only=False)
    for entry in entries("git"):
        _hold(work, git.below(entry.path), entry)
    for path in repositories.submodules(git.source):
        _git_directory(work, _below(git, path))
    _known_to_git(work, git)


def _bare_directory(work: _Work, git: _Place) -> None:
    """Protect a bare git directory: read-only, its data writable.

    A commondir would make git on the host forget that it is bare.
    """
    if _opted_out(work, git):
        return
    _mount(work, git, read_only=True)
    for name in ("objects", "refs", "logs", "info", "lfs"):
        if (git.source / name).is_dir() and not (git.source / name).is_symlink():
            _mount(work, git.below(name), read_only=False)
    _known_to_git(work, git)


def _known_to_git(work: _Work, git: _Place) -> None:
    """Mount the worktrees of a git directory, and tell the container's `git` of them all."""
    places = [(git, "")]
    for name in sorted(work.worktrees.get(git.source, ())):
        worktree = git.below(f"worktrees/{name}")
        _mount(work, worktree, read_only=False)
        for entry in entries("git"):
            if entry.path in {"commondir", "config.worktree"}:
                _hold(work, worktree.below(entry.path), entry)
        places.append((worktree, f".{re.sub(UNTOLD, '_', name)}"))
    if not _opted_out(work, git.below("config")):
        name = re.sub(UNTOLD, "_", git.source.parent.name if git.source.name == ".git" else git.source.name)
        key = f"{name}-{_hex(os.fsencode(git.source))[:8]}"
        work.git += [(key + suffix, place.target) for place, suffix in places]


def _hold(work: _Work, place: _Place, entry: Entry) -> None:
    """Make one path read-only, whether it exists or not."""
    if _opted_out(work, place):
        return
    if place.source.is_symlink():
        raise CannotProtect(place.source, place.name)
    above = work.mounts.get(place.target.parent)
    if (above and above.kind == "tmpfs") or (
        not os.path.lexists(place.source) and not os.access(place.source.parent, os.W_OK)
    ):
        return  # no file can be created there
    content = None if entry.kind == "directory" else entry.placeholder
    ours = Placeholder(path=place.source, content=content)
    # What exists counts, too: the host may remove it while a session runs, and the guard then holds the name.
    work.placeholders[place.source] = ours if content is None else _unseen(ours)
    if entry.refuses and (not os.path.lexists(place.source) or is_placeholder(ours)):
        work.mounts[place.target] = Mount(kind="tmpfs", target=place.target, read_only=True)
        return
    _mount(work, place, read_only=True)


def _unseen(placeholder: Placeholder) -> Placeholder:
    """Add the file that keeps it out of commits, if it is in a working tree."""
    path = placeholder.path
    root = repositories.enclosing(path.parent)
    common = repositories.common(root) if root and ".git" not in path.parts else None
    if root is None or common is None:
        return placeholder
    pattern = re.sub(r"([\\*?\[\]! #])", r"\\\1", str(PurePosixPath(path.relative_to(root))))
    return Placeholder(
        path=path, content=placeholder.content, exclude=common / "info" / "exclude", pattern=f"/{pattern}"
    )


def _named_by_config(work: _Work, top: _Place, root: _Place, git: Path) -> None:
    """Files in the tree that git's config names as commands or as more config, and the directory of hooks."""
    for key, value in _config(root.source):
        if not re.fullmatch(COMMANDS, key.lower()):
            continue
        base = git if key.startswith("include") else root.source
        for word in _words(key, value):
            path = Path(os.path.normpath(base / word))
            if top.source not in path.parents or ".git" in path.parts or _closed(work, _below(top, path)):
                continue
            place = _below(top, path)
            hooks = key.lower() == "core.hookspath"
            if path.is_file() or (
                hooks and (path.is_dir() or (not os.path.lexists(path) and path.parent.is_dir()))
            ):
                _way_to(work, top, _below(top, path.parent))
                _hold(
                    work,
                    place,
                    Entry(path=place.name, kind="directory" if hooks else "file", why=key, placeholder=""),
                )


def _config(root: Path) -> list[tuple[str, str]]:
    """Read git's whole config for a repository on this host; empty without git, as nothing runs then."""
    try:
        done = subprocess.run(
            ["git", "config", "--list", "-z"], cwd=root, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    pairs = (item.partition("\n") for item in os.fsdecode(done.stdout).split("\0"))
    return [(key, value) for key, _, value in pairs if key]


def _words(key: str, value: str) -> list[str]:
    if key.lower().endswith("path"):
        return [value] if value else []
    try:
        return [word for word in shlex.split(value.lstrip("!")) if word]
    except ValueError:
        return [word for word in value.split() if word]


def _way_to(work: _Work, top: _Place, place: _Place) -> None:
    """Make every directory from below the top to a place a mount point, so that none can be renamed."""
    for path in (*reversed(place.source.parents), place.source):
        if top.source in path.parents:
            work.mounts.setdefault(_below(top, path).target, _bind(_below(top, path), read_only=False))


def _below(top: _Place, path: Path) -> _Place:
    return top if path == top.source else top.below(path.relative_to(top.source).as_posix())


def _closed(work: _Work, place: _Place) -> bool:
    """Whether a place is in something read-only already."""
    above = (work.mounts.get(target) for target in (place.target, *place.target.parents))
    return next((mount.read_only for mount in above if mount), False)


def _opted_out(work: _Work, place: _Place) -> bool:
    work.known.add(place.name)
    for path in work.opted_out:
        if place.name == path or place.name.startswith(f"{path}/"):
            work.used.add(path)
            return True
    return False


def _mount(work: _Work, place: _Place, *, read_only: bool) -> None:
    work.mounts[place.target] = _bind(place, read_only=read_only)


def _bind(place: _Place, *, read_only: bool) -> Mount:
    return Mount(kind="bind", source=str(place.source), target=place.target, read_only=read_only)


def _hex(content: bytes) -> str:
    import hashlib  # 2 ms that ls, which only reads labels, need not pay

    return hashlib.sha256(content).hexdigest()
