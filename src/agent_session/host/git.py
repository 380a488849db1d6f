"""Git of this machine, run in repositories of the user's and of our own, never in an agent's.

Of the repository's configuration nothing is run: no hook, no fsmonitor, no pager, no maintenance, and with
`unfiltered` no filter. Callers say what git may read; what it prints is read with a limit.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from agent_session import sanitize
from agent_session.errors import ConfigurationError, ConflictError

SECONDS = 600
LARGEST = 256 << 20
"""Bytes of output that are collected."""
MOST_MEMORY = 8 << 30
"""Bytes of address space for git where it unpacks what an agent made."""
OFF = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "advice.detachedHead": "false",
}


class GitFailed(ConflictError):
    """Git ended with an error; `message` is what it said."""

    code = "git-failed"


def run(
    directory: Path,
    *words: str,
    environment: Mapping[str, str],
    stdin: bytes | IO[bytes] = b"",
    stdout: IO[bytes] | None = None,
    more: Mapping[str, str] | None = None,
    settings: Sequence[tuple[str, str]] = (),
    seconds: float = SECONDS,
    bounded: bool = False,
) -> bytes:
    """Run git in a directory and return its output. Raises GitFailed, ConfigurationError without a git.

    `more` are further variables, `settings` further configuration. With `bounded` its memory has a limit.
    """
    command = _command(words, environment, settings, bounded=bounded)
    with contextlib.ExitStack() as files:
        given = _file(files, stdin) if isinstance(stdin, bytes) else stdin
        answer = stdout or _file(files)
        complaints = _file(files)
        try:
            code = subprocess.run(
                command,
                cwd=directory,
                env=_environment(environment) | dict(more or {}),
                stdin=given,
                stdout=answer,
                stderr=complaints,
                timeout=seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {words[0]} was not done within {seconds:g} s") from None
        except OSError as error:
            raise GitFailed(f"git cannot run in {directory}: {error.strerror}") from error
        if code:
            complaints.seek(0)
            raise GitFailed(_said(complaints.read(20_000)) or f"git {words[0]} ended with {code}")
        return b"" if stdout is not None else _collected(answer, words[0])


def text(directory: Path, *words: str, environment: Mapping[str, str]) -> str:
    """Return what git says, without the last line end; "" where it fails."""
    try:
        return os.fsdecode(run(directory, *words, environment=environment)).rstrip("\n")
    except GitFailed:
        return ""


def unfiltered(directory: Path, *, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return settings that turn every filter off that the user's configuration knows."""
    listed = text(
        directory, "config", "--name-only", "--null", "--get-regexp", r"^filter\.", environment=environment
    )
    drivers = {name.rpartition(".")[0] for name in listed.split("\0") if name}
    return [
        (f"{driver}.{key}", value)
        for driver in sorted(drivers)
        for key, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
    ]


def _command(
    words: Sequence[str],
    environment: Mapping[str, str],
    settings: Sequence[tuple[str, str]],
    *,
    bounded: bool,
) -> list[str]:
    git = shutil.which("git", path=environment.get("PATH"))
    if git is None:
        raise ConfigurationError("git", "is not installed here; clones of directories need it")
    leash = ["prlimit", f"--as={MOST_MEMORY}", "--"] if bounded and shutil.which("prlimit") else []
    flags = [word for key, value in (*OFF.items(), *settings) for word in ("-c", f"{key}={value}")]
    return [*leash, git, "--no-replace-objects", *flags, *words]


def _file(files: contextlib.ExitStack, content: bytes = b"") -> IO[bytes]:
    """Open a file without a name, which is read from its beginning."""
    file: IO[bytes] = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    file.write(content)
    file.seek(0)
    return file


def _collected(answer: IO[bytes], verb: str) -> bytes:
    if os.fstat(answer.fileno()).st_size > LARGEST:
        raise GitFailed(f"git {verb} said more than {LARGEST >> 20} MB")
    answer.seek(0)
    return answer.read()


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in given.items() if not name.startswith("GIT_")}
    if named := given.get("GIT_CONFIG_GLOBAL"):
        kept["GIT_CONFIG_GLOBAL"] = named
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def _said(complaints: bytes) -> str:
    lines = sanitize.lines(complaints.decode("utf-8", "replace")).splitlines()
    return "; ".join(sanitize.line(line, 300) for line in lines[-4:] if line.strip())
