"""A clone: a repository that a session has of its own, as data."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agent_session import inside
from agent_session.workspace.projects import is_place

OBJECT_ID = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})?")


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A repository of a session's own, in its workspace volume. Commits are ids; "" is none (yet)."""

    source: str
    """The directory of the host or the URL it was made from; "" for one that came with an archive."""
    target: PurePosixPath
    branch: str
    """Which branch of the source it starts from; "" is the one that is checked out there."""
    start: str = ""
    """The commit it started from."""
    base: str = ""
    """What its changes are counted from: the start, with the uncommitted changes that were taken along."""
    objects: Path | None = None
    """The directory of objects that it borrows."""

    @property
    def directory(self) -> Path | None:
        """The repository of the host that it was made from."""
        return Path(self.source) if self.source.startswith("/") else None

    @property
    def borrowed(self) -> PurePosixPath:
        """Where the session has what it borrows."""
        return inside.BORROWED / self.target.name


def as_archived(clone: Clone) -> dict[str, str]:
    """What an archive says of a clone; where it came from is not the next machine's concern."""
    return {"target": str(clone.target), "start": clone.start, "base": clone.base}


def archived(said: dict[str, Any]) -> Clone:
    """The clone that an archive holds. ValueError for what `as_archived` cannot have said."""
    target = PurePosixPath(said["target"])
    ids = [str(said["start"]), str(said["base"])]
    if not is_place(target) or not all(map(OBJECT_ID.fullmatch, ids)):
        raise ValueError("its clones are not valid")
    return Clone(source="", target=target, branch="", start=ids[0], base=ids[1])
