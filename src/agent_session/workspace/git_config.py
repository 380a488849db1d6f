"""The commands, and files with more of them, that git's config of a repository names.

A repository's config may be the work of an agent, so it is read here, with a limit, and never by git: no
include is followed, and a pipe in its place is waited for by nobody.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agent_session.host import nofollow
from agent_session.host.git_keys import COMMANDS

LARGEST = 1_000_000
SECTION = re.compile(r'\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\\n]|\\.)*)")?\s*\]')
VARIABLE = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)[ \t]*(=?)")
ESCAPED = {"n": "\n", "t": "\t", "b": "\b"}


def paths_named(root: Path, git: Path) -> list[tuple[str, Path]]:
    """The keys of a repository's config that name commands or more config, each with a path it may mean.

    Commands of the user's own config count, too, as a relative path in one leads into the repository.
    """
    return [
        (key, Path(os.path.normpath((git if key.startswith("include") else root) / word)))
        for key, value in [*read(git), *of_user()]
        if COMMANDS.fullmatch(key)
        for word in _words(key, value)
        if "\0" not in word
    ]


def command_keys(git: Path) -> list[str]:
    """The keys of a git directory's own config that name commands or more config."""
    return sorted({key for key, _ in read(git) if COMMANDS.fullmatch(key)})


def read(git: Path) -> list[tuple[str, str]]:
    """Read the config of a git directory, and its config.worktree: keys in lower case, and values."""
    pairs: list[tuple[str, str]] = []
    for name in ("config", "config.worktree"):
        try:
            text = nofollow.read(git / name, largest=LARGEST).decode("utf-8", "surrogateescape")
        except OSError:
            continue
        pairs += parse(text)
    return pairs


def parse(text: str) -> Iterator[tuple[str, str]]:
    """Read the text of a config file. What git would refuse is skipped: a key too many does no harm."""
    section, at = "", 0
    while at < len(text):
        if found := SECTION.match(text, at):
            inner = re.sub(r"\\(.)", r"\1", found[2] or "")
            section = f"{found[1].lower()}.{inner}" if found[2] is not None else found[1].lower()
            at = found.end()
        elif section and (found := VARIABLE.match(text, at)):
            line_end = _line_end(text, found.end())
            value, at = _value(text, found.end()) if found[2] else ("true", line_end)
            yield f"{section}.{found[1]}".lower(), value
        else:
            at = _line_end(text, at) + 1


@cache
def of_user() -> tuple[tuple[str, str], ...]:
    """The config of this user and this machine, by git itself; empty without git, as nothing runs then."""
    pairs: list[tuple[str, str]] = []
    for scope in ("--system", "--global"):
        command = ["git", "config", scope, "--no-includes", "--list", "-z"]
        try:
            done = subprocess.run(command, cwd="/", capture_output=True, timeout=5, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        items = (item.partition("\n") for item in os.fsdecode(done.stdout).split("\0"))
        pairs += [(key.lower(), value) for key, _, value in items if key]
    return tuple(pairs)


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where its line ends."""
    value, quoted = [], False
    while at < len(text) and text[at] != "\n":
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            if text.startswith("\r\n", at):
                at += 1
            value.append("" if text[at] == "\n" else ESCAPED.get(text[at], text[at]))
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            at = _line_end(text, at)
            break
        else:
            value.append(char)
        at += 1
    return "".join(value).strip(), at


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return found if found >= 0 else len(text)


def _words(key: str, value: str) -> list[str]:
    if key.endswith("path"):
        return [value] if value else []
    try:
        return [word for word in shlex.split(value.lstrip("!")) if word]
    except ValueError:
        return [word for word in value.split() if word]
