"""The user's own configuration of an agent: instructions, commands, skills, settings.

It is read for the session's copies, bounded in number and size; a symbolic link inside a directory is
followed only as long as it stays in there.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent_session.agents.catalog import UserConfig
from agent_session.host import nofollow

LARGEST_FILE = 2 * 1024 * 1024
LARGEST = 20 * 1024 * 1024
MOST_FILES = 2000
NEVER = frozenset({".git", ".venv", "node_modules", "__pycache__"})


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One file: its name below the configuration, its bytes, and whether it is a program."""

    name: str
    content: bytes
    executable: bool


@dataclass(frozen=True, kw_only=True)
class Reading:
    """All that could be read; `notes` say in a line each what was left out."""

    copies: tuple[Copy, ...] = ()
    notes: tuple[str, ...] = ()


def with_instructions(copies: tuple[Copy, ...], name: str, text: str) -> tuple[Copy, ...]:
    """Add a text to the copy of that name, which need not be there yet."""
    if not (name and text):
        return copies
    own = b"".join(copy.content.rstrip() + b"\n\n" for copy in copies if copy.name == name)
    added = Copy(name=name, content=own + text.encode("utf-8", "replace") + b"\n", executable=False)
    return (*(copy for copy in copies if copy.name != name), added)


def read(items: tuple[UserConfig, ...]) -> Reading:
    """Read all of it; files that cannot be read, or are too large, are noted and left out."""
    copies: list[Copy] = []
    notes: list[str] = []
    total = 0
    for item in items:
        reasons: dict[str, int] = {}
        for name, path in _files(item, reasons):
            try:
                copy = _copy(name, path)
                total += len(copy.content)
                if len(copies) >= MOST_FILES or total > LARGEST:
                    raise ValueError("too much altogether")
            except (OSError, ValueError) as error:
                reason = str(error.strerror if isinstance(error, OSError) else error)
                reasons[reason] = reasons.get(reason, 0) + 1
            else:
                copies.append(copy)
        notes += [f"{item.source}: {count} left out: {reason}" for reason, count in reasons.items()]
    return Reading(copies=tuple(copies), notes=tuple(notes))


def _files(item: UserConfig, reasons: dict[str, int]) -> Iterator[tuple[str, Path]]:
    try:
        top = Path(item.source).expanduser().resolve(strict=True)
    except (OSError, RuntimeError):  # not there; a loop of links; ~nobody
        return
    if not top.is_dir():
        yield item.target, top
        return
    for folder, below, names in os.walk(top):
        links = [name for name in below if Path(folder, name).is_symlink()]
        below[:] = sorted(set(below) - NEVER - set(links))
        for name in sorted([*names, *links]):
            path = Path(folder, name)
            if path.is_symlink() and (name in links or not Path(os.path.realpath(path)).is_relative_to(top)):
                reasons["a link that leads elsewhere"] = reasons.get("a link that leads elsewhere", 0) + 1
            elif name.isprintable():
                yield str(Path(item.target, path.relative_to(top))), path


def _copy(name: str, path: Path) -> Copy:
    descriptor = nofollow.open_file(path, links=True)
    try:
        status = os.fstat(descriptor)
        if status.st_size > LARGEST_FILE:
            raise ValueError(f"it has more than {LARGEST_FILE} bytes")
        content = nofollow.read_open(descriptor, largest=LARGEST_FILE)
        return Copy(name=name, content=content, executable=bool(status.st_mode & stat.S_IXUSR))
    finally:
        os.close(descriptor)
