"""Tars that come from a container, unpacked on this machine: they are untrusted."""

import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from agent_session.host import fences
from agent_session.host.umask import umask
from agent_session.sessions.errors import CopyRefused

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def receive(
    stream: IO[bytes], target: str, *, name: str, fenced: Sequence[Path], held: Set[str] = frozenset()
) -> list[str]:
    """Unpack a tar of one file or folder at `target`, or in it where that is a directory.

    There it gets the name `name` ("." or "": its own name).

    `fenced` are directories that an agent may write: a link in one is not followed, not even on the way to
    `target`. `held` are names below what is copied that are left out, with all below them. Returns lines
    about what was left out. CopyRefused; what was unpacked before it stays.
    """
    notes: list[str] = []
    try:
        with tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape") as tar:
            first = tar.next()
            if first is None:
                raise CopyRefused(target, "nothing came")
            top = _parts(first.name)
            if len(top) > 1 or not (first.isdir() or first.isreg()):
                raise CopyRefused(target, "what arrived is not a single file or folder")
            called = name if name not in {"", ".", ".."} else (top or [""])[0]
            root, below = _landing(target, called, first, content=not top, fenced=fenced)
            try:
                tree = _Tree(root=root, notes=notes)
                member: tarfile.TarInfo | None = first
                while member:
                    parts = _parts(member.name)
                    if parts[: len(top)] != top:
                        raise CopyRefused(target, f"{member.name!r} came, which was not asked for")
                    if not _is_held(parts[len(top) :], held):
                        tree.add(tar, member, [*below, *parts[len(top) :]], top=len(below))
                    member = tar.next()
                tree.finish()
            finally:
                os.close(root)
    except tarfile.TarError as error:
        raise CopyRefused(target, f"what arrived is not a tar archive: {error}") from error
    except OSError as error:
        raise CopyRefused(str(error.filename or target), error.strerror or str(error)) from error
    return notes


def _is_held(parts: Sequence[str], held: Set[str]) -> bool:
    return any("/".join(parts[:depth]) in held for depth in range(1, len(parts) + 1))


@dataclass(kw_only=True)
class _Tree:
    """What is written below one open directory. No name that is there already is followed."""

    root: int
    notes: list[str]
    made: dict[tuple[str, ...], tarfile.TarInfo] = field(default_factory=dict)
    mask: int = field(default_factory=umask)

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo, parts: list[str], *, top: int) -> None:
        """One member; the first `top` names are where the copy lands."""
        if member.isdir():
            self._make(parts, member)
        elif not parts:
            raise CopyRefused(member.name, "it has no name")
        elif member.isreg() and not member.issparse():
            self._file(tar, member, parts)
        elif member.issym() and _stays(member.linkname, len(parts) - 1 - top):
            self._replace(parts, lambda new, folder: os.symlink(member.linkname, new, dir_fd=folder))
        else:
            what = (
                f"a link to {member.linkname}, which is not below it"
                if member.issym()
                else "no file, folder or link"
            )
            self.notes.append(f"{'/'.join(parts)}: {what}")

    def finish(self) -> None:
        """Modes and times of new directories, deepest first."""
        for parts, member in sorted(self.made.items(), key=lambda made: -len(made[0])):
            folder = self._open(list(parts))
            try:
                os.fchmod(folder, (member.mode | 0o700) & 0o777 & ~self.mask)
                os.utime(folder, (member.mtime, member.mtime))
            finally:
                os.close(folder)

    def _make(self, parts: list[str], member: tarfile.TarInfo) -> None:
        if not parts:
            return
        parent = self._open(parts[:-1])
        try:
            os.mkdir(parts[-1], 0o700, dir_fd=parent)
            self.made[tuple(parts)] = member
        except FileExistsError:
            os.close(_folder(parts, parent))
        finally:
            os.close(parent)

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, parts: list[str]) -> None:
        content = tar.extractfile(member)
        assert content is not None

        def write(new: str, folder: int) -> None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(new, flags, 0o600, dir_fd=folder), "wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                os.fchmod(file.fileno(), member.mode & 0o777 & ~self.mask)
                os.utime(file.fileno(), (member.mtime, member.mtime))

        self._replace(parts, write)

    def _replace(self, parts: list[str], make: Callable[[str, int], None]) -> None:
        """Make something beside its name and move it there: a link of that name is never followed."""
        folder = self._open(parts[:-1])
        new = f".{secrets.token_hex(8)}.part"
        try:
            make(new, folder)
            os.replace(new, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException as error:
            if _is_there(new, folder):
                os.unlink(new, dir_fd=folder)
            if isinstance(error, IsADirectoryError):
                raise CopyRefused("/".join(parts), "there is a directory of that name") from error
            raise
        finally:
            os.close(folder)

    def _open(self, parts: list[str]) -> int:
        """A directory below the root; those that are missing are made."""
        folder = os.dup(self.root)
        for depth, _ in enumerate(parts):
            parent = folder
            try:
                folder = _folder(parts[: depth + 1], parent, missing=True)
            finally:
                os.close(parent)
        return folder


def _folder(parts: Sequence[str], parent: int, *, missing: bool = False) -> int:
    try:
        return os.open(parts[-1], FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not missing:
            raise
        os.mkdir(parts[-1], 0o777, dir_fd=parent)
        return os.open(parts[-1], FOLDER, dir_fd=parent)
    except NotADirectoryError as error:  # what a link gives, too
        raise CopyRefused("/".join(parts), "it is not a directory (links are not followed)") from error


def _landing(
    target: str, name: str, first: tarfile.TarInfo, *, content: bool, fenced: Sequence[Path]
) -> tuple[int, list[str]]:
    """The open directory that the copy lands in, and the names below it that its first member gets."""
    path = Path(target)
    if path.is_dir():
        return fences.open_folder(path, fenced), [] if content else [name]
    if first.isreg() and target.endswith("/"):
        raise CopyRefused(target, "there is no such directory")
    if first.isdir() and (path.exists() or path.is_symlink()):
        raise CopyRefused(target, "it is no directory")
    return fences.open_folder(path.parent, fenced), [path.name]


def _parts(name: str) -> list[str]:
    """A member's names; CopyRefused for what would leave the folder it is unpacked in."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise CopyRefused(name, "a copy has no such name in it")
    return parts


def _stays(link: str, depth: int) -> bool:
    """Whether a link `depth` real directories below the top stays below it: few `..`, in front only."""
    parts = [part for part in link.split("/") if part not in {"", "."}]
    ups = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    return (
        bool(link)
        and not link.startswith("/")
        and "\0" not in link
        and ups <= depth
        and ".." not in parts[ups:]
    )


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True
