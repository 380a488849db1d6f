"""The contents of a session's clone, as the clone program tells and sends them: a stranger's.

They are read with limits of time and size. Objects are unpacked in an empty repository of our own, where git
checks each of them; nothing of the session's repository, its configuration and its attributes comes along.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Literal

from agent_session import sanitize
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused, Hint, TimedOut
from agent_session.host import git
from agent_session.sessions import clone_runs
from agent_session.sessions.clone_runs import object_id
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone

SECONDS = 600
LARGEST_ANSWER = 4 << 20
LARGEST_PACK = 2 << 30
MOST_BRANCHES = 1000


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A branch of a clone, or "HEAD" where none is checked out; `ahead` are commits that only it has."""

    name: str
    tip: str
    ahead: int


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a clone holds. Ids are those of commits, "" for none."""

    head: str
    on: str
    """The branch that was read."""
    tip: str
    """The commit of that branch."""
    work: str
    """A commit of what is not committed, on `head`."""
    base: str
    """The commit that differences are counted from."""
    to: str
    """The commit whose objects were sent."""
    branches: tuple[Branch, ...]
    stashes: int
    changes: int
    """Files that are not committed."""


@contextmanager
def read(
    engine: Engine,
    session: Session,
    clone: Clone,
    *,
    objects: Literal["", "history", "difference"],
    uncommitted: bool = True,
    ref: str = "",
    have: Sequence[str] = (),
    against: Mapping[str, str] = MappingProxyType({}),
    mounts: tuple[Mount, ...] = (),
) -> Iterator[tuple[Contents, Path]]:
    """Read a clone; what is yielded with it is the file with the objects that were asked for.

    What is not committed is always counted; a history has it only with `uncommitted`. `against` says which
    commit a difference is counted from where that is not the clone's base, `mounts` where its files are where
    they are not in the session's volume.
    Raises EngineRefused for a clone that git cannot read, or that says too much, and TimedOut.
    """
    order = {
        "do": "read", "objects": objects, "with_work": uncommitted, "ref": ref,
        "start": clone.start, "base": clone.base, "have": list(have), **against,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="agent-session-") as folder:
        pack = Path(folder, "pack")
        with pack.open("wb") as file, ThreadPoolExecutor(max_workers=1) as pool:
            reading, writing = os.pipe()
            done = None
            with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as stdout:
                heard = pool.submit(_receive, reading, file)
                done = clone_runs.run(
                    engine,
                    session.image,
                    session.name,
                    clone,
                    order,
                    more=mounts,
                    stdout=stdout,
                    seconds=SECONDS,
                )
            line = heard.result()
        if line is None or done is None:
            raise _too_much(session, clone)
        if done.exit_code == 124:
            words = f"the clone {clone.target} of session '{session.name}' was not read within {SECONDS} s"
            raise TimedOut(words, hint=Hint("screen", [session.name]))
        clone_runs.check(done, clone, session.name)
        yield _contents(line, session, clone), pack


def unpack(
    pack: Path, folder: Path, oid: str, environment: Mapping[str, str], *, onto: Path | None = None
) -> Path:
    """Make an empty repository with the objects of a pack, each checked by git; returns its directory.

    With `onto`, a directory of objects, what the pack's objects name must be in either. Raises GitFailed.
    """
    repository = folder / "received.git"
    form = "sha256" if len(oid) == 64 else "sha1"
    words = ["init", "--quiet", "--bare", "--template=", f"--object-format={form}", str(repository)]
    git.run(folder, *words, environment=environment)
    if onto:
        (repository / "objects/info").mkdir(exist_ok=True)
        (repository / "objects/info/alternates").write_text(f"{onto}\n")
    if pack.stat().st_size:
        checks = ["--strict", "--fix-thin"] if onto else ["--fsck-objects"]
        with pack.open("rb") as file:
            git.run(
                repository, "index-pack", "--stdin", f"--max-input-size={LARGEST_PACK}", *checks,
                environment=environment, stdin=file, bounded=True,
            )  # fmt: skip
    return repository


def _receive(reading: int, file: IO[bytes]) -> bytes | None:
    """Read an answer, a line, and write what follows it to a file; None where there is too much of either."""
    with os.fdopen(reading, "rb") as stream:
        line = stream.readline(LARGEST_ANSWER)
        if line and not line.endswith(b"\n"):
            return None
        room = LARGEST_PACK
        while piece := stream.read1(1 << 20):
            room -= len(piece)
            if room < 0:
                return None
            file.write(piece)
    return line


def _contents(line: bytes, session: Session, clone: Clone) -> Contents:
    try:
        said: dict[str, Any] = json.loads(line)
        branches = tuple(
            Branch(name=str(one["name"])[:300], tip=object_id(one["oid"]), ahead=int(one["ahead"]))
            for one in said["branches"][:MOST_BRANCHES]
        )
        ids = {name: object_id(said[name]) for name in ("head", "tip", "work", "base", "to")}
        return Contents(
            **ids,
            on=str(said["on"])[:300],
            branches=branches,
            stashes=int(said["stashes"]),
            changes=int(said["changes"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = sanitize.line(str(error), 200)
        raise EngineRefused(
            f"the clone {clone.target} of session '{session.name}' cannot be read: {reason}"
        ) from error


def _too_much(session: Session, clone: Clone) -> EngineRefused:
    return EngineRefused(
        f"the clone {clone.target} of session '{session.name}' has more than {LARGEST_PACK >> 30} GB to send",
        hint=Hint("exec", [session.name, "--", "git", "-C", str(clone.target), "push"]),
    )
