"""The user's own configuration of an agent: instructions, commands, skills, settings.

It is read for the session's copies, bounded in number and size. Of links in a directory those are followed
that stay in it, and skills one level below, as their installers link them; others are named.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent_session.agents import imported_files
from agent_session.agents.catalog import UserConfig
from agent_session.errors import ConfigurationError, Hint
from agent_session.host import nofollow

LARGEST_FILE = 2 * 1024 * 1024
LARGEST = 20 * 1024 * 1024
MOST_FILES = 2000
MOST_NAMED = 5
NEVER = frozenset({".git", ".venv", "node_modules", "__pycache__"})
SKILL = "SKILL.md"
"""A linked directory with this file in it is a skill."""
ELSEWHERE = "a link that leads elsewhere"


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


@dataclass(kw_only=True)
class _LeftOut:
    """The names of what is left out of one item, by the reason."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        self.names.setdefault(reason, []).append(name)

    def notes(self, source: str) -> Iterator[str]:
        for reason, names in self.names.items():
            shown = ", ".join(name if name.isprintable() else repr(name) for name in names[:MOST_NAMED])
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            yield f"{source}: {len(names)} left out: {reason}: {shown}{more}"


def read(items: tuple[UserConfig, ...]) -> Reading:
    """Read all of it; files that cannot be read, or are too large, are noted and left out.

    Raises ConfigurationError for one of these that may hold rules, which would be in force no more.
    """
    copies: dict[str, Copy] = {}
    notes: list[str] = []
    total = 0
    for item in items:
        left_out = _LeftOut()
        for name, path in _files(item, left_out):
            try:
                copy = _copy(name, path)
                total += len(copy.content)
                if len(copies) >= MOST_FILES or total > LARGEST:
                    raise ValueError("too much altogether")
            except (OSError, ValueError) as error:
                reason = str(error.strerror if isinstance(error, OSError) else error)
                if item.rules:
                    raise _no_rules(item, reason) from error
                left_out.add(reason, Path(name).name)
            else:
                copies.setdefault(name, copy)
        notes += left_out.notes(item.source)
    return Reading(copies=tuple(copies.values()), notes=tuple(notes))


def _no_rules(item: UserConfig, reason: str) -> ConfigurationError:
    words = f"it cannot be read ({reason}), and what it forbids the agent would be allowed in the session"
    return ConfigurationError(item.source, words, hint=Hint(shell=f"ls -ld {item.source}"))


def _files(item: UserConfig, left_out: _LeftOut) -> Iterator[tuple[str, Path]]:
    try:
        named = Path(item.source).expanduser()
        top = named.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # not there; a loop of links; ~nobody
        if item.rules and isinstance(error, PermissionError):
            raise _no_rules(item, str(error.strerror)) from error
        return
    if top.is_dir():
        yield from _below(top, item.target, left_out, linked_skills=True)
        return
    yield item.target, top
    if item.imports:
        found, elsewhere = imported_files.of(named)
        yield from ((str(name), path) for name, path in found.items())
        for name in elsewhere:
            left_out.add("an import from elsewhere", name)


def _below(
    top: Path, target: str, left_out: _LeftOut, *, linked_skills: bool = False
) -> Iterator[tuple[str, Path]]:
    for folder, below, names in os.walk(top):
        links = [name for name in below if Path(folder, name).is_symlink()]
        below[:] = sorted(set(below) - NEVER - set(links))
        for name in sorted([*names, *links]):
            path = Path(folder, name)
            at = str(Path(target, path.relative_to(top)))
            if linked_skills and folder == str(top) and name in links and (path / SKILL).is_file():
                yield from _below(path.resolve(), at, left_out)
            elif path.is_symlink() and (
                name in links or not Path(os.path.realpath(path)).is_relative_to(top)
            ):
                left_out.add(ELSEWHERE, name)
            elif name.isprintable():
                yield at, path


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
