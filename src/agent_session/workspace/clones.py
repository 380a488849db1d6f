"""A clone: a repository that a session has of its own, as data."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agent_session import inside


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
