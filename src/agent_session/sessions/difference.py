"""The difference between a session's start, or its HEAD, and now; computed here from checked objects.

What is compared are two commits in an empty repository of ours: no attribute, filter, driver or setting of
the session's repository has a say.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.host import clock, git
from agent_session.sessions import clone_contents
from agent_session.sessions.errors import FetchRefused
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone
from agent_session.workspace.projects import Project

Against = Literal["start", "head"]
"""What is compared with now: the session's start, or the last commit of what is checked out."""
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
    engine: Engine,
    session: Session,
    place: Clone | Project,
    environment: Mapping[str, str],
    *,
    against: Against = "start",
) -> Iterator[Difference | None]:
    """Compare a project's files with its start or its HEAD; None where nothing can differ.

    A mounted project is read in a container, too. Nobody recorded its start: that is its HEAD when the
    session was made, by its reflog. Raises FetchRefused for objects that git refuses, EngineRefused and
    TimedOut.
    """
    clone, mounts = (place, ()) if isinstance(place, Clone) else _mounted(place)
    order = {"against": "head"} if mounts or against == "head" else {}
    if mounts and against == "start":
        order["since"] = clock.utc(session.created)
    asked = clone_contents.read(engine, session, clone, objects="difference", against=order, mounts=mounts)
    with asked as (contents, pack), tempfile.TemporaryDirectory(prefix="agent-session-") as folder:
        if not contents.to:
            yield None
            return
        try:
            repository = clone_contents.unpack(pack, Path(folder), contents.to, environment)
            empty = git.run(repository, "hash-object", "-t", "tree", "-w", "--stdin", environment=environment)
            old = (contents.base if order else clone.base) or empty.decode().strip()
            ids = [
                git.run(repository, "rev-parse", "--verify", f"{one}^{{tree}}", environment=environment)
                for one in (old, contents.to)
            ]
        except git.GitFailed as error:
            reason = f"git refuses what the session sent: {error.message}"
            raise FetchRefused(clone.target.name, reason) from error
        before, after = (one.decode().strip() for one in ids)
        yield Difference(repository=repository, old=before, new=after, environment=environment)


def _mounted(project: Project) -> tuple[Clone, tuple[Mount, ...]]:
    mount = Mount(kind="bind", source=str(project.source), target=project.target, read_only=True)
    return Clone(source=str(project.source), target=project.target, branch=""), (mount,)


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
