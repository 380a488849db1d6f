"""A session's changes brought into a working tree of the host, uncommitted, or not at all.

Each file is merged by itself, from what the session started with, what is here now and what the session made
of it. Where one of them would be lost nothing is changed. What is written is written by `git apply`, which
follows no link, knows no path out of the tree, and either takes all or nothing; filters are off.
"""

import os
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from agent_session import sanitize
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint, UsageError
from agent_session.host import git, nofollow
from agent_session.sessions import difference
from agent_session.sessions.difference import Difference, FileChange
from agent_session.sessions.errors import FetchRefused
from agent_session.sessions.session import Session
from agent_session.workspace import protected_paths
from agent_session.workspace.clones import Clone
from agent_session.workspace.uncommitted import private_objects

LINK, MODULE = "120000", "160000"
LARGEST_FILE = 512 << 20
MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What was done to a working tree."""

    into: Path
    written: tuple[str, ...]
    """Files that are different now."""
    same: tuple[str, ...]
    """Files that were so already."""
    left: tuple[str, ...]
    """Submodules, which are not changed."""
    running: tuple[tuple[str, str], ...]
    """Files written that this machine runs by itself: path, and by what."""


def apply(
    engine: Engine,
    session: Session,
    clone: Clone,
    into: Path,
    environment: Mapping[str, str],
    *,
    paths: Sequence[str] = (),
    dry_run: bool = False,
) -> Applied:
    """Bring what differs since a session's start into a working tree.

    Raises UsageError where there is none, ConflictError where something would be lost, FetchRefused for
    changes that no working tree should get, EngineRefused and TimedOut.
    """
    top = git.text(into, "rev-parse", "--show-toplevel", environment=environment)
    if not top:
        raise UsageError(
            f"{into} is not in a working tree of git, which could get the changes",
            hint=Hint("apply", [session.name, "--into", "DIRECTORY"]),
        )
    with difference.compute(engine, session, clone, environment) as found:
        changes = difference.changes(found, paths) if found else []
        _refuse_what_leads_out(found, changes, session)
        files = [one for one in changes if MODULE not in {one.old_mode, one.new_mode}]
        with tempfile.TemporaryDirectory(prefix="agent-session-") as folder:
            merging = _Merge(Path(top), found, Path(folder), environment) if found else None
            wanted = merging.wanted(files, session.name) if merging else []
            if merging and wanted and not dry_run:
                merging.write(wanted)
    written = tuple(sanitize.shown(one.path) for one in wanted)
    return Applied(
        into=Path(top),
        written=written,
        same=tuple(sanitize.shown(one.path) for one in files if one.path not in {w.path for w in wanted}),
        left=tuple(sanitize.shown(one.path) for one in changes if one not in files),
        running=tuple(running(one.path for one in wanted)),
    )


def running(paths: Iterable[str]) -> list[tuple[str, str]]:
    """List those of some paths that a machine runs by itself, each with why."""
    entries = [*protected_paths.entries("repository")]
    found = []
    for path in paths:
        name = PurePosixPath(path)
        for entry in entries:
            if (
                fnmatch(path, entry.path)
                or PurePosixPath(entry.path) in name.parents
                or fnmatch(path, f"*/{entry.path}")
            ):
                found.append((sanitize.shown(path), entry.why))
                break
    return found


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A file as it is to be: its mode, "" where it is to go, and its content's id."""

    path: str
    mode: str
    oid: str
    had: "_File"


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file as it is here: its mode, "" where there is none, and its content's id as git would store it."""

    mode: str
    oid: str


class _Merge:
    """Merges into one working tree, with git's objects in a directory of our own."""

    def __init__(self, top: Path, found: Difference, folder: Path, environment: Mapping[str, str]) -> None:
        self._top, self._folder, self._environment = top, folder, environment
        self._settings = git.unfiltered(top, environment=environment)
        objects = git.text(top, "rev-parse", "--git-path", "objects", environment=environment)
        mine = private_objects(folder, found.repository / "objects")
        theirs = private_objects(folder, (top / objects).resolve())
        both = ":".join(one["GIT_ALTERNATE_OBJECT_DIRECTORIES"] for one in (mine, theirs))
        self._more = {**mine, "GIT_ALTERNATE_OBJECT_DIRECTORIES": both}

    def _git(self, *words: str, stdin: bytes = b"", index: str = "") -> bytes:
        more = {**self._more, **({"GIT_INDEX_FILE": str(self._folder / index)} if index else {})}
        return git.run(
            self._top, *words, environment=self._environment, more=more, settings=self._settings,
            stdin=stdin, bounded=True,
        )  # fmt: skip

    def wanted(self, files: Sequence[FileChange], name: str) -> list[_Wanted]:
        """Decide what becomes of each file; ConflictError names those that cannot be merged."""
        wanted, conflicts = [], []
        for one in files:
            here = self._here(one.path)
            old = _File(mode=_mode(one.old_mode), oid=one.old if _mode(one.old_mode) else "")
            new = _File(mode=_mode(one.new_mode), oid=one.new if _mode(one.new_mode) else "")
            if here is None:
                conflicts.append(one.path)
            elif here == new:
                continue
            elif here == old:
                wanted.append(_Wanted(path=one.path, mode=new.mode, oid=new.oid, had=here))
            elif merged := self._merged(old, here, new):
                if merged != here:
                    wanted.append(_Wanted(path=one.path, mode=merged.mode, oid=merged.oid, had=here))
            else:
                conflicts.append(one.path)
        if conflicts:
            raise _conflict(conflicts, name)
        return wanted

    def write(self, wanted: Sequence[_Wanted]) -> None:
        """Write the files, all or none."""
        before = self._tree("before", [(one.had.mode, one.had.oid, one.path) for one in wanted])
        after = self._tree("after", [(one.mode, one.oid, one.path) for one in wanted])
        words = (*difference.PLAIN, "--binary", "--full-index", "--no-renames", "--no-color")
        patch = self._git("diff", *words, before, after)
        try:
            self._git("apply", "--whitespace=nowarn", "-", stdin=patch)
        except git.GitFailed as error:
            raise FetchRefused(str(self._top), f"git does not apply it: {error.message}") from error

    def _tree(self, index: str, entries: Sequence[tuple[str, str, str]]) -> str:
        """Write a tree of those files: mode, "" for none, id and path."""
        lines = "".join(f"{mode} {oid}\t{path}\0" for mode, oid, path in entries if mode)
        self._git("read-tree", "--empty", index=index)
        self._git("update-index", "-z", "--add", "--index-info", stdin=os.fsencode(lines), index=index)
        return self._git("write-tree", index=index).decode().strip()

    def _here(self, path: str) -> _File | None:
        """The file as it is here; None for what is neither a file nor a link, or beyond a link."""
        parts = PurePosixPath(path).parts
        try:
            folder = nofollow.open_directory(self._top, *parts[:-1])
        except FileNotFoundError:
            return _File(mode="", oid="")
        except OSError:
            return None
        try:
            mode = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                content = os.fsencode(os.readlink(parts[-1], dir_fd=folder))
                return _File(mode=LINK, oid=self._stored(content))
            if not stat.S_ISREG(mode):
                return None
            content = nofollow.read_whole(folder, parts[-1], largest=LARGEST_FILE)
        except FileNotFoundError:
            return _File(mode="", oid="")
        except OSError:
            return None
        finally:
            os.close(folder)
        return _File(mode="100755" if mode & 0o100 else "100644", oid=self._stored(content, path))

    def _stored(self, content: bytes, path: str = "") -> str:
        """Store a content, with the line ends that git would give it; returns its id."""
        words = ["--path", path] if path else []
        return self._git("hash-object", "-w", "--stdin", *words, stdin=content).decode().strip()

    def _merged(self, old: _File, here: _File, new: _File) -> _File | None:
        """Merge both sides' lines and modes; None where that cannot be done."""
        if not (old.mode and here.mode and new.mode) or LINK in {old.mode, here.mode, new.mode}:
            return None
        mode = new.mode if here.mode == old.mode else here.mode
        if new.oid == old.oid or here.oid == new.oid:
            return _File(mode=mode, oid=here.oid)
        if here.oid == old.oid:
            return _File(mode=mode, oid=new.oid)
        names = []
        for side, one in (("here", here), ("old", old), ("new", new)):
            file = self._folder / side
            file.write_bytes(self._git("cat-file", "blob", one.oid))
            names.append(str(file))
        try:
            merged = self._git("merge-file", "--stdout", "--quiet", *names)
        except git.GitFailed:
            return None
        return _File(mode=mode, oid=self._stored(merged))


def _mode(mode: str) -> str:
    return "" if set(mode) == {"0"} else mode


def _conflict(paths: Sequence[str], name: str) -> ConflictError:
    return ConflictError(
        f"nothing was applied: {len(paths)} files here differ in the same places, or are something else:"
        + _listed(paths),
        hint=(
            Hint("fetch", [name, "--uncommitted"], note="as branches, to be merged"),
            Hint("diff", [name]),
        ),
    )


def _listed(paths: Sequence[str]) -> str:
    more = [f"and {len(paths) - MOST_NAMED} more"] if len(paths) > MOST_NAMED else []
    return "".join(f"\n  {line}" for line in [*map(sanitize.shown, paths[:MOST_NAMED]), *more])


def _refuse_what_leads_out(found: Difference | None, changes: Sequence[FileChange], session: Session) -> None:
    """FetchRefused for links to places outside of the working tree, and for names that are git's own."""
    out = []
    for one in changes if found else []:
        target = found.blob(one.new) if found and one.new_mode == LINK else ""
        parts = PurePosixPath(one.path).parts
        if any(part.lower().rstrip(" .") in {".git", "git~1"} or part == ".." for part in parts) or not parts:
            out.append(one.path)
        elif one.new_mode == LINK and _leads_out(parts, target):
            out.append(f"{one.path} -> {target[:200]}")
    if out:
        raise ConflictError(
            "nothing was applied: these lead out of the working tree, or into git's directory:"
            + _listed(out),
            hint=Hint("diff", [session.name]),
        )


def _leads_out(parts: Sequence[str], target: str) -> bool:
    if target.startswith("/"):
        return True
    depth = len(parts) - 1
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in {"", "."} else 1
        if depth < 0:
            return True
    return ".git" in target.lower().split("/")
