"""Whether a repository's own history, as it was when a session was made, has a content at a path.

An agent may write in a repository's objects. So git runs in a directory of ours, whose config is ours, and
only finds; each object on the way from a commit that was recorded to the content is compared with its name.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agent_session.host import nofollow
from agent_session.workspace import reftable, repositories

MOST_REFS = 5000
MOST_COMMITS = 20_000
LARGEST = 10_000_000
SECONDS = 3.0
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
CONFIG = """[core]
repositoryformatversion = 1
bare = true
commitGraph = false
multiPackIndex = false
[extensions]
objectFormat = {}
"""


def tips(root: Path) -> list[str]:
    """The commits that HEAD and all refs of a repository point to; reads files and runs nothing."""
    git = _git_directory(root)
    if git is None:
        return []
    named = [*_packed(git), *_loose(git)]
    heads = [_text(place, "HEAD").strip() for place in {git, *_worktree(root)}]
    tables = [value for place in {git, *_worktree(root)} for value in reftable.values(place)]
    found = [one for one in (*heads, *named, *tables) if COMMIT.fullmatch(one)]
    return list(dict.fromkeys(found))[:MOST_REFS]


def has(root: Path, commits: Sequence[str], path: str, content: bytes, *, executable: bool) -> bool:
    """Whether one of these commits, or one before it, had that file at a path of the repository.

    False also where that cannot be found out in time, or without git.
    """
    with _opened(root, commits) as objects:
        if objects is None:
            return False
        blob = objects.name(b"blob %d\0" % len(content) + content).hexdigest()
        wanted = ("100755" if executable else "100644"), blob
        inner = _inner(root, path)
        return any(
            objects.reached(commits, commit) and objects.entry(commit, inner) == wanted
            for commit in _candidates(objects, commits, inner, blob)
        )
    return False


def some_lack(root: Path, commits: Sequence[str], path: str) -> bool:
    """Whether some of these commits have a path of the repository, and others have not.

    Then git removes it, and brings it back, where somebody switches between them.
    """
    with _opened(root, commits) as objects:
        if objects is None:
            return False
        inner = _inner(root, path)
        asked = "".join(f"{commit}:{inner}\n" for commit in commits)
        lines = objects.run("cat-file", "--batch-check", stdin=asked).decode("utf-8", "replace").splitlines()
        missing = [line.endswith(" missing") for line in lines]
        if len(lines) != len(commits) or len(set(missing)) < 2:
            return False
        without, having = commits[missing.index(True)], commits[missing.index(False)]
        return not objects.entry(without, inner)[1] and bool(objects.entry(having, inner)[1])
    return False


@contextmanager
def _opened(root: Path, commits: Sequence[str]) -> "Iterator[_Objects | None]":
    """The objects of the repository that a directory is in; what goes wrong with them ends the block."""
    git = _git_directory(root)
    if git is None or not commits:
        yield None
        return
    name = hashlib.sha256 if len(commits[0]) == 64 else hashlib.sha1
    with tempfile.TemporaryDirectory(prefix="agent-session-") as own:
        objects = _Objects(own=Path(own), git=git, name=name)
        objects.prepare()
        with suppress(OSError, ValueError, KeyError, subprocess.SubprocessError):
            yield objects


def _inner(root: Path, path: str) -> str:
    """A path of a root, relative to the repository's top."""
    top = repositories.enclosing(root) or root
    return (root.relative_to(top) / path).as_posix()


@dataclass(frozen=True, kw_only=True)
class _Objects:
    """The objects of a repository, read by git in a directory of ours and checked here."""

    own: Path
    git: Path
    name: "Callable[[bytes], hashlib._Hash]"

    def prepare(self) -> None:
        """Make our own git directory, with nothing of the repository's but its shallow commits."""
        for folder in ("objects", "refs"):
            (self.own / folder).mkdir()
        (self.own / "HEAD").write_text("ref: refs/heads/none\n")
        (self.own / "config").write_text(CONFIG.format("sha256" if self.name is hashlib.sha256 else "sha1"))
        if shallow := _text(self.git, "shallow"):
            (self.own / "shallow").write_text(shallow)

    def run(self, *arguments: str, stdin: str = "") -> bytes:
        """What git prints; ValueError where it fails."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_DIR": str(self.own),
            "GIT_OBJECT_DIRECTORY": str(self.git / "objects"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "HOME": str(self.own),
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.own,
            env=environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise ValueError(os.fsdecode(done.stderr[:500]))
        return done.stdout

    def read(self, names: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
        """Objects by name: kind and content, each compared with its name. ValueError where one is not."""
        out = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names))
        found, at = {}, 0
        for name in names:
            end = out.index(b"\n", at)
            said, kind, size = out[at:end].split()
            content = out[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)
            if self.name(kind + b" %d\0" % len(content) + content).hexdigest() != name:
                raise ValueError(f"{os.fsdecode(said)} is not what its name says")
            found[name] = kind, content
        return found

    def reached(self, commits: Sequence[str], commit: str) -> bool:
        """Whether a commit is one of `commits` or before one, by a way on which each commit is genuine."""
        if commit in commits:
            return True
        listed = self.run(
            "rev-list", "--parents", "--ancestry-path", f"--max-count={MOST_COMMITS}", "--stdin",
            stdin="".join(f"{tip}\n" for tip in commits) + f"^{commit}\n",
        )  # fmt: skip
        parents = {first: rest for first, *rest in map(str.split, listed.decode().splitlines())}
        way = _way(parents, [tip for tip in commits if tip in parents], commit)
        genuine = self.read(way[:-1])
        return bool(way) and all(
            b"\nparent %s\n" % below.encode() in genuine[above][1].partition(b"\n\n")[0] + b"\n"
            for above, below in pairwise(way)
        )

    def entry(self, commit: str, path: str) -> tuple[str, str]:
        """Mode and name of what a commit has at a path; empty where it has nothing there."""
        kind, content = self.read([commit])[commit]
        mode, at = "", content[5 : content.index(b"\n")].decode() if kind == b"commit" else ""
        for part in path.split("/"):
            if not at:
                break
            kind, tree = self.read([at])[at]
            mode, at = _in_tree(tree, part, len(commit) // 2) if kind == b"tree" else ("", "")
        return mode, at


def _candidates(objects: _Objects, commits: Sequence[str], path: str, blob: str) -> list[str]:
    """Commits that may have that content there: those that brought or removed it, and what came before."""
    said = objects.run(
        "log", "--full-history", "--no-renames", "--max-count=3", "--format=%H %P",
        f"--find-object={blob}", "--stdin", "--", path,
        stdin="".join(f"{tip}\n" for tip in commits),
    )  # fmt: skip
    return list(dict.fromkeys(said.decode().split()))


def _way(parents: dict[str, list[str]], starts: Sequence[str], goal: str) -> list[str]:
    """A shortest way from one of the starts to the goal; empty where there is none."""
    before: dict[str, str] = dict.fromkeys(starts, "")
    queue = deque(starts)
    while queue:
        here = queue.popleft()
        for parent in parents.get(here, ()):
            if parent in before:
                continue
            before[parent] = here
            if parent == goal:
                way = [goal]
                while before[way[-1]]:
                    way.append(before[way[-1]])
                return way[::-1]
            queue.append(parent)
    return []


def _in_tree(tree: bytes, name: str, length: int) -> tuple[str, str]:
    """Mode and name of an entry in the content of a tree."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, entry = tree[at:end].partition(b" ")
        if entry == os.fsencode(name):
            return mode.decode(), tree[end + 1 : end + 1 + length].hex()
        at = end + 1 + length
    return "", ""


def _git_directory(root: Path) -> Path | None:
    """The git directory with the objects of the repository that a directory is in."""
    top = repositories.enclosing(root)
    return repositories.common(top) if top else None


def _worktree(root: Path) -> list[Path]:
    """The git directory of a worktree, which has a HEAD of its own."""
    top = repositories.enclosing(root)
    found = repositories.pointer(top) if top and (top / ".git").is_file() else None
    return [found.git] if found else []


def _packed(git: Path) -> Iterator[str]:
    for line in _text(git, "packed-refs").splitlines():
        if not line.startswith("#"):
            yield line.lstrip("^").partition(" ")[0]


def _loose(git: Path) -> Iterator[str]:
    count = 0
    for directory, _, files in os.walk(git / "refs"):
        for file in files:
            count += 1
            if count > MOST_REFS:
                return
            yield _text(Path(directory), file).strip()


def _text(folder: Path, name: str) -> str:
    try:
        return nofollow.read(folder, name, largest=LARGEST).decode("ascii", "replace")
    except OSError:
        return ""
