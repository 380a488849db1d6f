"""A session's commits brought into a repository of the host, as a branch.

Git runs on the host in the user's repository and in an empty one of ours, never in the session's: no hook,
config, filter, alternate or replacement of it has a say. Every object is checked, the history must be whole,
and a branch of the user's is only ever moved forward.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_session import sanitize
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint, UsageError
from agent_session.host import git
from agent_session.sessions import clone_contents, clone_runs
from agent_session.sessions.clone_contents import Branch, Contents
from agent_session.sessions.errors import FetchRefused
from agent_session.sessions.names import branch_name, ref_part
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone
from agent_session.workspace.uncommitted import private_objects

MOST_KNOWN = 20_000
UNCOMMITTED = "-uncommitted"
"""The end of the name of a branch with what was not committed."""


@dataclass(frozen=True, kw_only=True)
class FetchWish:
    """What to fetch of a clone, and where to. `branch` None is agent/NAME; `of` "" is what is checked out."""

    into: Path
    branch: str | None = None
    of: str = ""
    uncommitted: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A branch of the host that has a session's commits now. Ids are those of commits."""

    into: Path
    branch: str
    of: str
    """The session's branch."""
    tip: str
    commits: int
    """New on the branch; 0 where it had all of them."""
    replaced: str
    """What the branch was at where it was replaced, else ""."""
    uncommitted: str
    """The branch with what is not committed, "" where that is nothing or was not asked for."""
    left: int
    """Files that are not committed and were not asked for."""
    stashes: int
    others: tuple[Branch, ...]
    """Other branches of the session with commits that are nowhere else."""


def fetch(
    engine: Engine, session: Session, clone: Clone, wish: FetchWish, environment: Mapping[str, str]
) -> Fetched:
    """Bring a session's commits into a repository of the host.

    Raises UsageError, FetchRefused, ConflictError for a branch that would lose commits, EngineRefused and
    TimedOut.
    """
    into, branch = _repository(wish.into, environment), wish.branch or _default(session, wish.of)
    _check_name(into, branch, environment)
    start = _start(into, clone, environment)
    known = git.text(into, "for-each-ref", "--format=%(objectname)", environment=environment).split()
    asked = clone_contents.read(
        engine, session, clone,
        objects="history", uncommitted=wish.uncommitted, ref=wish.of, have=[*start, *known[:MOST_KNOWN]],
    )  # fmt: skip
    with asked as (contents, pack), tempfile.TemporaryDirectory(prefix="agent-session-") as folder:
        if not contents.tip:
            raise FetchRefused(clone.target.name, "there is no commit in it yet")
        received = _Received(session.name, Path(folder), pack, contents, into, environment)
        targets = {branch: contents.tip}
        if wish.uncommitted and contents.work:
            targets[branch + UNCOMMITTED] = contents.work
        old = {name: received.check(name, tip, force=wish.force) for name, tip in targets.items()}
        count = received.count(contents.tip, [old[branch]] if old[branch] else start)
        received.take_over()
        for name, tip in targets.items():
            received.move(name, tip, old[name], f"agent-session fetch {session.name}")
        replaced = old[branch] if old[branch] and not received.contains(contents.tip, old[branch]) else ""
    _mark(engine, session, clone, targets)
    return Fetched(
        into=into,
        branch=branch,
        of=_plain(contents.on),
        tip=contents.tip,
        commits=count,
        replaced=replaced,
        uncommitted=branch + UNCOMMITTED if branch + UNCOMMITTED in targets else "",
        left=0 if wish.uncommitted else contents.changes,
        stashes=contents.stashes,
        others=tuple(
            one
            for one in contents.branches
            if one.ahead and one.name != contents.on and one.tip != contents.tip
        ),
    )


class _Received:
    """Objects of a session in a repository of ours, beside the repository that is to get them."""

    def __init__(
        self,
        name: str,
        folder: Path,
        pack: Path,
        contents: Contents,
        into: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._name = name
        self._into, self._environment = into, environment
        objects = git.text(into, "rev-parse", "--git-path", "objects", environment=environment)
        own = (into / objects).resolve()
        try:
            self._folder = clone_contents.unpack(pack, folder, contents.tip, environment, onto=own)
        except git.GitFailed as error:
            raise FetchRefused(str(into), f"git refuses what the session sent: {error.message}") from error
        quoted = private_objects(folder, self._folder / "objects")["GIT_ALTERNATE_OBJECT_DIRECTORIES"]
        self._beside = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted}

    def _git(self, *words: str, stdin: bytes = b"") -> str:
        said = git.run(
            self._into, *words, environment=self._environment, more=self._beside, stdin=stdin, bounded=True
        )
        return said.decode("utf-8", "surrogateescape").strip()

    def check(self, branch: str, tip: str, *, force: bool) -> str:
        """Return the commit that a branch is at; ConflictError where it may not be moved to `tip`."""
        try:
            self._git("rev-list", "--objects", "--quiet", tip, "--not", "--all")
        except git.GitFailed as error:
            raise FetchRefused(str(self._into), f"its history is not whole: {error.message}") from error
        name = f"refs/heads/{branch}"
        old = git.text(self._into, "rev-parse", "--verify", "--quiet", name, environment=self._environment)
        if not old or self.contains(tip, old):
            if old and old != tip:
                self._refuse_checked_out(branch)
            return old
        self._refuse_checked_out(branch)
        ours = branch.endswith(UNCOMMITTED) and self._git("show", "-s", "--format=%ce", old).endswith(
            "@localhost"
        )
        if not force and not ours:
            lost = self._git("rev-list", "--count", old, f"^{tip}")
            raise ConflictError(
                f"branch {branch} here has {lost} commits that the session's does not have: it was rewritten",
                hint=(
                    Hint("fetch", [self._name, "--branch", f"{branch}-2"], note="another branch"),
                    Hint(
                        "fetch", [self._name, "--force"], note=f"replaces it; {old[:12]} stays in its reflog"
                    ),
                ),
            )
        return old

    def contains(self, tip: str, old: str) -> bool:
        """Whether a commit is among the ancestors of another one."""
        return self._git("rev-list", "--count", "--max-count=1", old, f"^{tip}") == "0"

    def count(self, tip: str, old: list[str]) -> int:
        """Count the commits that are new."""
        return int(self._git("rev-list", "--count", tip, *(f"^{one}" for one in old)))

    def take_over(self) -> None:
        """Give the repository the objects, which have been checked."""
        for pack in sorted((self._folder / "objects/pack").glob("*.pack")):
            with pack.open("rb") as file:
                git.run(self._into, "index-pack", "--stdin", environment=self._environment, stdin=file)

    def move(self, branch: str, tip: str, old: str, why: str) -> None:
        """Move a branch, if it is where it was."""
        words = [
            "update-ref",
            "--create-reflog",
            "-m",
            why,
            f"refs/heads/{branch}",
            tip,
            old or "0" * len(tip),
        ]
        try:
            git.run(self._into, *words, environment=self._environment)
        except git.GitFailed as error:
            raise FetchRefused(
                str(self._into), f"branch {branch} cannot be written: {error.message}"
            ) from error

    def _refuse_checked_out(self, branch: str) -> None:
        trees = git.text(self._into, "worktree", "list", "--porcelain", environment=self._environment)
        for tree in trees.split("\n\n"):
            if f"branch refs/heads/{branch}" in tree.splitlines():
                place = tree.splitlines()[0].removeprefix("worktree ")
                raise ConflictError(
                    f"branch {branch} is checked out in {place}; a fetch would move it under your feet",
                    hint=Hint("fetch", [self._name, "--branch", f"{branch}-2"], note="another branch"),
                )


def _repository(into: Path, environment: Mapping[str, str]) -> Path:
    if git.text(into, "rev-parse", "--git-dir", environment=environment) if into.is_dir() else "":
        return into
    raise UsageError(
        f"{into} is not in a git repository, which could get the session's commits",
        hint=Hint("fetch", ["--into", "DIRECTORY"]),
    )


def _start(into: Path, clone: Clone, environment: Mapping[str, str]) -> list[str]:
    """The commit that a clone started from, where the repository has it with all before it."""
    words = ("rev-list", "--count", "--objects", clone.start, "--not", "--all")
    return [clone.start] if clone.start and git.text(into, *words, environment=environment) else []


def _default(session: Session, of: str) -> str:
    own = branch_name(session.name)
    return f"{own}-{ref_part(of.replace('/', '-'))}" if of and of != own else own


def _check_name(into: Path, branch: str, environment: Mapping[str, str]) -> None:
    if not git.text(into, "check-ref-format", "--branch", branch, environment=environment) == branch:
        raise UsageError(f"{branch!r} cannot be the name of a branch", hint=Hint("fetch", ["--help"]))


def _plain(ref: str) -> str:
    return sanitize.line(ref.removeprefix("refs/heads/"), 200) or "HEAD"


def _mark(engine: Engine, session: Session, clone: Clone, targets: Mapping[str, str]) -> None:
    """Note in the clone what the host has, so that `rm` does not count it."""
    order = {"do": "mark", "marks": sorted(targets.items())}
    clone_runs.run(engine, session.image, session.name, clone, order, read_only=False, seconds=60)
