"""The difference between a session's start and now, computed on the host from checked objects.

What is compared are two commits in an empty repository of ours: no attribute, filter, driver or setting of
the session's repository has a say.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agent_session.engine.protocol import Engine
from agent_session.host import git
from agent_session.sessions import clone_contents
from agent_session.sessions.errors import FetchRefused
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone

PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color-moved", "--submodule=short")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two trees in a repository of ours."""

    repository: Path
    old: str
    new: str
    environment: Mapping[str, str]

    def write(self, stdout: IO[bytes], *words: str, paths: Sequence[str] = ()) -> None:
        """Write what `git diff` with these words says of them. Raises GitFailed."""
        git.run(
            self.repository, "diff", *PLAIN, *words, self.old, self.new, "--", *paths,
            environment=self.environment, stdout=stdout, bounded=True, more={"GIT_LITERAL_PATHSPECS": "1"},
        )  # fmt: skip

    def blob(self, oid: str) -> str:
        """Return a small content, such as where a link leads."""
        said = git.run(self.repository, "cat-file", "blob", oid, environment=self.environment, bounded=True)
        return os.fsdecode(said[:10_000])

    def listed(self, *words: str, paths: Sequence[str] = ()) -> list[str]:
        """Return the words, separated by zeros, of what `git diff -z` says."""
        with tempfile.TemporaryFile() as file:
            self.write(file, "-z", *words, paths=paths)
            file.seek(0)
            return os.fsdecode(file.read(git.LARGEST)).split("\0")[:-1]


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file that differs. Modes and ids are git's; zeros where the file does not exist."""

    path: str
    old_mode: str
    new_mode: str
    old: str
    new: str
    added: int | None = None
    """Lines; None for a file that is not a text."""
    removed: int | None = None

    @property
    def status(self) -> str:
        """What happened to it, in a word."""
        if set(self.old_mode) == {"0"}:
            return "added"
        return "deleted" if set(self.new_mode) == {"0"} else "modified"


@contextmanager
def compute(
    engine: Engine, session: Session, clone: Clone, environment: Mapping[str, str]
) -> Iterator[Difference | None]:
    """Compare a clone's files with those that it started from; None where nothing can differ.

    Raises FetchRefused for objects that git refuses, EngineRefused and TimedOut.
    """
    asked = clone_contents.read(engine, session, clone, objects="difference")
    with asked as (contents, pack), tempfile.TemporaryDirectory(prefix="agent-session-") as folder:
        if not contents.to:
            yield None
            return
        try:
            repository = clone_contents.unpack(pack, Path(folder), contents.to, environment)
            empty = git.run(repository, "hash-object", "-t", "tree", "-w", "--stdin", environment=environment)
            old = clone.base or empty.decode().strip()
            ids = [
                git.run(repository, "rev-parse", "--verify", f"{one}^{{tree}}", environment=environment)
                for one in (old, contents.to)
            ]
        except git.GitFailed as error:
            reason = f"git refuses what the session sent: {error.message}"
            raise FetchRefused(clone.target.name, reason) from error
        before, after = (one.decode().strip() for one in ids)
        yield Difference(repository=repository, old=before, new=after, environment=environment)


def changes(difference: Difference, paths: Sequence[str] = ()) -> list[FileChange]:
    """List the files that differ, in git's order."""
    raw = difference.listed("--raw", "--no-renames", "--no-abbrev", paths=paths)
    counts: dict[str, tuple[int | None, int | None]] = {}
    for entry in difference.listed("--numstat", "--no-renames", paths=paths):
        more, less, path = entry.split("\t", 2)
        counts[path] = (None, None) if more == "-" else (int(more), int(less))
    found = []
    for head, path in zip(raw[::2], raw[1::2], strict=True):
        old_mode, new_mode, old, new, _ = head[1:].split(" ")
        added, removed = counts.get(path, (None, None))
        found.append(
            FileChange(
                path=path,
                old_mode=old_mode,
                new_mode=new_mode,
                old=old,
                new=new,
                added=added,
                removed=removed,
            )
        )
    return found
