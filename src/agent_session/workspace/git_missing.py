"""What git needs for a project and the session does not have.

It is said at the start, with the way to have it. Nothing of it is mounted unasked: what says where it is lies
in the project, which an agent can write.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from agent_session.host import nofollow
from agent_session.workspace import repositories
from agent_session.workspace.projects import Project

LARGEST = 100_000
CHAIN = 5
"""How many repositories can borrow from each other in a row, as git has it."""


def notes(trees: Sequence[Project], mounted: Sequence[Path]) -> list[str]:
    """Write a line for each project in which git cannot work.

    `mounted` directories are at their own paths in the session.
    """
    sources = [tree.source for tree in trees]
    found = []
    for tree in trees:
        if line := _repository_around(tree.source, [*sources, *mounted]):
            found.append(line)
        found += [
            f"{tree.source} borrows objects from {path}, which the session does not have: git does not work "
            f"there; start it with AGENT_SESSION_MOUNTS={shlex.quote(str(path))}"
            for path in _borrowed(tree.source)
            if not any(path == one or one in path.parents for one in mounted)
        ]
    return found


def _repository_around(source: Path, present: Sequence[Path]) -> str:
    """A line where a project is a part of a repository that is not in the session."""
    around = repositories.enclosing(source)
    if around is None or around in {source, Path.home(), *present}:
        return ""
    return (
        f"{source} is a part of the repository {around}, which the session does not have: git finds none "
        f"there; agent-session start {shlex.quote(str(around))}"
    )


def _borrowed(source: Path) -> list[Path]:
    """The directories of objects that a repository borrows from (objects/info/alternates), in a row."""
    git = repositories.common(source)
    waiting, found = [git / "objects"] if git else [], []
    for objects in waiting:
        try:
            text = nofollow.read(objects / "info" / "alternates", largest=LARGEST)
        except OSError:
            continue
        for line in os.fsdecode(text).splitlines():
            path = Path(os.path.normpath(objects / line))
            if line and not line.startswith("#") and path not in waiting and len(waiting) <= CHAIN:
                waiting.append(path)
                if source not in path.parents:
                    found.append(path)
    return found
