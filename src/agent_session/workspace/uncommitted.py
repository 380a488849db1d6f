"""The uncommitted changes of a working tree as a commit, and refs that keep what clones borrow.

The index and the working tree are only read: the trees are made with an index and an object directory of
our own.
"""

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_session.host import git
from agent_session.workspace.clone_sources import EMPTY_TREE, HostRepository

LONG_AGO = {"GIT_AUTHOR_DATE": "@86400 +0000", "GIT_COMMITTER_DATE": "@86400 +0000"}
"""So that `git log --all` shows it last of all."""
KEPT = "refs/agent-session"
"""Where the host's repository names what sessions borrow, so that git gc keeps it."""
WRITER = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "agent-session"), ("EMAIL", "agent-session@localhost"))
}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A working tree as a commit on its start, and the tree of what is staged in it."""

    commit: str
    staged: str


def snapshot(
    repository: HostRepository, start: str, scratch: Path, environment: Mapping[str, str]
) -> Snapshot:
    """Write staged, unstaged and untracked changes as objects into `scratch`. Raises GitFailed."""
    here = repository.top
    index = scratch / "index"
    own = git.text(here, "rev-parse", "--git-path", "index", environment=environment)
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(here / own, index)  # its time tells git which files may have changed since
    more = {**private_objects(scratch, repository.objects), "GIT_INDEX_FILE": str(index)}
    staged = git.run(here, "write-tree", environment=environment, more=more).decode().strip()
    git.run(here, "add", "--all", "--", ":/", environment=environment, more=more)
    tree = git.run(here, "write-tree", environment=environment, more=more).decode().strip()
    parents = ["-p", start] if start else []
    words = ["commit-tree", tree, *parents, "-m", "Uncommitted changes that a session took along"]
    made = git.run(here, *words, environment=environment, more={**more, **WRITER})
    return Snapshot(commit=made.decode().strip(), staged=staged)


def private_objects(scratch: Path, objects: Path) -> dict[str, str]:
    """Variables with which git writes its objects into `scratch` and reads those of a repository, too."""
    folder = scratch / "objects"
    folder.mkdir(exist_ok=True)
    quoted = '"' + str(objects).replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {"GIT_OBJECT_DIRECTORY": str(folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted}


def keep(
    repository: HostRepository, session: str, name: str, tips: Sequence[str], environment: Mapping[str, str]
) -> bool:
    """Name in the host's repository all that a clone borrows, as parents of one commit in no branch.

    False where the repository cannot be written: then nothing may be borrowed.
    """
    parents = [word for tip in dict.fromkeys(tips) for word in ("-p", tip)]
    tree = git.text(repository.top, "hash-object", "-t", "tree", "-w", "/dev/null", environment=environment)
    message = f"What session {session} borrows; agent-session rm removes it"
    try:
        made = git.run(
            repository.top, "commit-tree", tree or EMPTY_TREE, *parents, "-m", message,
            environment=environment, more={**WRITER, **LONG_AGO},
        )  # fmt: skip
        words = ["update-ref", f"{KEPT}/{session}/{name}", made.decode().strip()]
        git.run(repository.top, *words, environment=environment)
    except git.GitFailed:
        return False
    return True


def release(directory: Path, session: str, name: str, environment: Mapping[str, str]) -> None:
    """Forget what a clone borrowed; nothing happens where nothing is remembered."""
    with contextlib.suppress(git.GitFailed):
        git.run(
            directory, "update-ref", "-d", f"{KEPT}/{session}/{name}", environment=environment, seconds=30
        )
