"""What a person says about changes: they become the baseline, or the baseline's content is put back.

The project belongs to an agent that may run: every directory is opened through no link, and what is taken
away is moved to a folder of the user's, never removed.
"""

import contextlib
import os
import secrets
import shlex
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent_session.errors import ConflictError, Hint
from agent_session.host import file_access, nofollow, paths
from agent_session.workspace import baseline as baselines
from agent_session.workspace import git_state
from agent_session.workspace.baseline import KEPT_FILE, Baseline, Tree
from agent_session.workspace.file_state import FileState, Look
from agent_session.workspace.review import Change

SECONDS = 5.0


class CannotRevert(ConflictError):
    """A change that cannot be undone: the former content was not kept, or the path cannot be reached."""

    code = "cannot-revert"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot put back {path}: {reason}", hint=Hint("review", ["--help"]))


@dataclass(frozen=True, kw_only=True)
class Reverted:
    """A change that was undone; `kept` is where the agent's version is now, None where there was none."""

    change: Change
    kept: Path | None


def accept(name: str, changes: Sequence[Change]) -> None:
    """Make the present state of these paths the recorded one."""
    baseline = baselines.load(name)
    if baseline is None:
        return
    for tree, own in _by_tree(baseline, changes):
        for change in own:
            if change.kind == "new repository":
                _know_repository(tree, change)
        git_state.know(tree.git, own[0].source, tree.roots, [change.path for change in own])
        opened = nofollow.open_directory(own[0].source)
        try:
            now = baseline.look(tree, opened, deadline=time.monotonic() + SECONDS)
            for change in own:
                _know(baseline, tree, now, opened, change.path)
        finally:
            os.close(opened)
    baseline.save()


def revert(name: str, changes: Sequence[Change]) -> list[Reverted]:
    """Put back what these paths held. Raises CannotRevert, before any change where it can be known."""
    baseline = baselines.load(name)
    if baseline is None:
        return []
    found = _by_tree(baseline, changes)
    for tree, own in found:
        for change in own:
            _check(baseline, tree, change)
    aside = paths.reverted_folder() / name / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    done = []
    for tree, own in found:
        for change in own:
            done.append(Reverted(change=change, kept=_put_back(baseline, tree, change, aside)))
    return done


def contents(name: str, change: Change) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """Paths of files at or below a change, each with what it held and holds.

    Of nothing b"", None where that is too large or was not kept.
    """
    baseline = baselines.load(name)
    if baseline is None or change.kind == "new repository":
        return
    for tree, _ in _by_tree(baseline, [change]):
        opened = nofollow.open_directory(change.source)
        try:
            now = baseline.look(tree, opened, deadline=time.monotonic() + SECONDS)
            paths = {path for path in (*tree.states, *now.found) if _is_at(path, change.path)}
            for path in sorted(paths):
                before, after = tree.states.get(path), now.found.get(path)
                if after != before and "directory" not in {one.kind for one in (before, after) if one}:
                    former = _former(baseline, before)
                    yield path, former, _present(opened, path, after)
        finally:
            os.close(opened)


def _former(baseline: Baseline, state: FileState | None) -> bytes | None:
    if state is None or state.kind != "file":
        return _words(state)
    return baseline.content(state)


def _present(opened: int, path: str, state: FileState | None) -> bytes | None:
    if state is None or state.kind != "file":
        return _words(state)
    try:
        return nofollow.read_whole(opened, *path.split("/"), largest=KEPT_FILE)
    except OSError:
        return None


def _words(state: FileState | None) -> bytes:
    """What is shown of something that is no file."""
    if state is None:
        return b""
    return f"a link to {state.content}\n".encode() if state.kind == "link" else b"a pipe, socket or device\n"


def _by_tree(baseline: Baseline, changes: Sequence[Change]) -> list[tuple[Tree, list[Change]]]:
    pairs = [(tree, [one for one in changes if one.target == tree.target]) for tree in baseline.trees]
    return [(tree, own) for tree, own in pairs if own]


def _know_repository(tree: Tree, change: Change) -> None:
    above, _, name = change.path.rpartition("/")
    if name == ".git":
        tree.repositories.append(above or ".")
        if (above or ".") not in tree.roots:
            tree.roots.append(above or ".")
    else:
        tree.bare.append(above or ".")


def _know(baseline: Baseline, tree: Tree, now: Look, opened: int, path: str) -> None:
    """Record what is at a path and below it now."""
    for old in [one for one in tree.states if _is_at(one, path)]:
        del tree.states[old]
    above = path
    while above := above.rpartition("/")[0]:  # a directory that is new is known with what was accepted in it
        if above in now.found:
            tree.states[above] = now.found[above]
    for new, state in now.found.items():
        if not _is_at(new, path):
            continue
        tree.states[new] = baselines.settled(state)
        if state.kind == "file" and state.stat[0] <= KEPT_FILE:
            baseline.keep_content(nofollow.read(opened, *new.split("/"), largest=KEPT_FILE))


def _check(baseline: Baseline, tree: Tree, change: Change) -> None:
    if change.keys and change.kind == "changed":
        command = shlex.join(
            ["git", "config", "--file", str(change.host_path), "--unset-all", change.keys[0]]
        )
        raise CannotRevert(
            change.host_path, f"the rest of it is your repository's; to take a key out: {command}"
        )
    for path, state in tree.states.items():
        if _is_at(path, change.path) and state.kind == "file" and baseline.content(state) is None:
            reason = f"what {path} held was too large to be kept; your own git or backup may have it"
            raise CannotRevert(change.host_path, reason)


def _put_back(baseline: Baseline, tree: Tree, change: Change, aside: Path) -> Path | None:
    top = Path("/") if change.path.startswith("/") else change.source  # a git directory may be elsewhere
    parts = change.path.strip("/").split("/")
    try:
        folder = _directory(top, parts[:-1], make=change.kind == "removed")
    except OSError as error:
        raise CannotRevert(
            change.host_path, f"it cannot be reached without a link ({error.strerror})"
        ) from None
    try:
        access = file_access.of(folder, parts[-1])
        kept = _move_aside(folder, parts[-1], aside / change.target.name / change.path.strip("/"))
        wanted = {path: state for path, state in tree.states.items() if _is_at(path, change.path)}
        for path in sorted(wanted):
            inner = path[len(change.path) - len(parts[-1]) :]
            _make(baseline, folder, inner, wanted[path], access=access if path == change.path else None)
    except OSError as error:
        raise CannotRevert(change.host_path, str(error.strerror)) from error
    finally:
        os.close(folder)
    return kept


def _directory(source: Path, parts: Sequence[str], *, make: bool) -> int:
    """Open a directory of a project; with `make` the missing ones on the way are made. Raises OSError."""
    here = nofollow.open_directory(Path("/"), *source.parts[1:])
    for part in parts:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=here)
        try:
            below = nofollow.open_directory(here, part)
        finally:
            os.close(here)
        here = below
    return here


def _move_aside(folder: int, name: str, target: Path) -> Path | None:
    """Move what is there to a folder of the user's; None where nothing is."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.rename(name, target, src_dir_fd=folder)
    except OSError:  # another file system
        _copy(folder, name, info, target)
        if stat.S_ISDIR(info.st_mode):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
    return target


def _copy(folder: int, name: str, info: os.stat_result, target: Path) -> None:
    """Copy a file, link or directory; pipes and devices have no content to be lost."""
    if stat.S_ISLNK(info.st_mode):
        target.symlink_to(os.readlink(name, dir_fd=folder))
    elif stat.S_ISREG(info.st_mode):
        source = nofollow.open_file(folder, name)
        with os.fdopen(source, "rb") as content, target.open("xb") as copy:
            shutil.copyfileobj(content, copy)
        target.chmod(stat.S_IMODE(info.st_mode) & 0o700 | 0o400)
    elif stat.S_ISDIR(info.st_mode):
        target.mkdir(mode=0o700)
        _below(folder, name, lambda below, entry, inner: _copy(below, entry, inner, target / entry))


def _below(folder: int, name: str, each: Callable[[int, str, os.stat_result], None]) -> None:
    directory = nofollow.open_directory(folder, name)
    try:
        for entry in os.listdir(directory):  # noqa: PTH208 (a descriptor)
            each(directory, entry, os.stat(entry, dir_fd=directory, follow_symlinks=False))
    finally:
        os.close(directory)


def _make(
    baseline: Baseline,
    folder: int,
    path: str,
    state: FileState,
    *,
    access: file_access.Access | None = None,
) -> None:
    """Make a file, link or directory as it was recorded; `access` is that of the file it replaces."""
    *above, name = path.split("/")
    here = nofollow.open_directory(folder, *above)
    try:
        if state.kind == "directory":
            os.mkdir(name, 0o755, dir_fd=here)
        elif state.kind == "link":
            os.symlink(state.content, name, dir_fd=here)
        elif state.kind == "file":
            part = f".{name}.{secrets.token_hex(4)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            mode = 0o755 if state.executable else 0o644
            with os.fdopen(os.open(part, flags, mode, dir_fd=here), "wb") as file:
                if access:
                    file_access.give(file.fileno(), access, executable=state.executable)
                file.write(baseline.content(state) or b"")
            os.rename(part, name, src_dir_fd=here, dst_dir_fd=here)
    finally:
        os.close(here)


def _is_at(path: str, above: str) -> bool:
    """Whether a path is another one or below it."""
    return path == above or path.startswith(f"{above}/")
