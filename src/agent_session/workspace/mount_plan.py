"""The mounts over mounts that keep parts of a project from its agent, in the making.

A directory that merely contains mount points can be renamed and another put in its place, so every directory
on the way to a held path is a mount point too, a writable one of itself. A path that does not exist yet is
held by a placeholder (placeholders.py).
"""

import fnmatch
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.engine.container import Mount
from agent_session.workspace import protect_mode, repositories
from agent_session.workspace.errors import CannotProtect
from agent_session.workspace.placeholders import Placeholder, is_placeholder
from agent_session.workspace.protected_paths import Entry
from agent_session.workspace.protection import Watched


@dataclass(frozen=True, kw_only=True)
class Place:
    """A directory on the host and in the container; `name` is its path relative to the project."""

    source: Path
    target: PurePosixPath
    name: str

    def below(self, path: str) -> "Place":
        """A place at a path relative to this one."""
        return Place(
            source=self.source / path, target=self.target / path, name=os.path.normpath(f"{self.name}/{path}")
        )

    def at(self, path: Path) -> "Place":
        """The place of a host path that is this one's or below it."""
        return self if path == self.source else self.below(path.relative_to(self.source).as_posix())


@dataclass(kw_only=True)
class MountPlan:
    """Mounts and placeholders that grow with each path that is held; `opted_out` paths are left alone."""

    mode: str
    """One of protect_mode.MODES."""
    opted_out: tuple[str, ...]
    mounts: dict[PurePosixPath, Mount] = field(default_factory=dict)
    placeholders: dict[Path, Placeholder] = field(default_factory=dict)
    git: list[PurePosixPath] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    """Files of the project being looked at that git's config names, with the key."""
    notes: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def mount(self, place: Place, *, read_only: bool) -> None:
        """Mount a place over itself."""
        self.mounts[place.target] = _bind(place, read_only=read_only)

    def way_to(self, top: Place, place: Place) -> None:
        """Make every directory from below the top to a place a mount point, so that none can be renamed."""
        for path in (*reversed(place.source.parents), place.source):
            if top.source in path.parents:
                self.mounts.setdefault(top.at(path).target, _bind(top.at(path), read_only=False))

    def closed(self, place: Place) -> bool:
        """Whether a place is in something read-only already."""
        above = (self.mounts.get(target) for target in (place.target, *place.target.parents))
        return next((mount.read_only for mount in above if mount), False)

    def leaves_out(self, place: Place) -> bool:
        """Whether the user opted out of a place or of a directory above it."""
        self.known.add(place.name)
        for path in self.opted_out:
            if place.name == path or place.name.startswith(f"{path}/"):
                self.used.add(path)
                return True
        return False

    def guard(self, top: Place, place: Place, entry: Entry) -> None:
        """Hold one path of a working tree, if the mode is strict."""
        if self.mode == protect_mode.STRICT:
            if entry.strict:
                for one in _fitting(place) if entry.pattern else [place]:
                    self._hold_in(top, one, entry)
        else:
            self.leaves_out(place)

    def _hold_in(self, top: Place, place: Place, entry: Entry) -> None:
        """Hold a path and the way to it; where a directory on the way is missing, that one."""
        above = [top.at(path) for path in place.source.parents if top.source in path.parents]
        missing = next((one for one in reversed(above) if _is_missing(one.source)), None)
        if missing is None:
            self.way_to(top, top.at(place.source.parent))
            self.hold(place, entry)
        elif missing.target not in self.mounts:
            self.hold(missing, replace(entry, path=missing.name, kind="directory", refuses=False))

    def hold(self, place: Place, entry: Entry) -> None:
        """Make one path what the entry says it is to the agent, whether it exists or not."""
        if self.leaves_out(place):
            return
        if place.source.is_symlink():
            raise CannotProtect(place.source, place.name)
        above = self.mounts.get(place.target.parent)
        if (above and above.kind == "tmpfs") or (
            not os.path.lexists(place.source) and not os.access(place.source.parent, os.W_OK)
        ):
            return  # no file can be created there
        content = None if entry.kind == "directory" else entry.placeholder
        ours = Placeholder(path=place.source, content=content)
        # What exists counts, too: the host may remove it while a session runs, and the guard then holds it.
        self.placeholders[place.source] = ours if content is None else _unseen(ours)
        if entry.refuses and (not os.path.lexists(place.source) or is_placeholder(ours)):
            self.mounts[place.target] = Mount(kind="tmpfs", target=place.target, read_only=True)
        elif entry.inside == "own":
            self.mounts[place.target] = Mount(kind="tmpfs", target=place.target)
            self.mount(replace(place, target=inside.HOST / place.target.relative_to("/")), read_only=True)
        else:
            self.mount(place, read_only=entry.inside != "writable")


def _is_missing(directory: Path) -> bool:
    """Whether it is not there, or only because another session holds its name."""
    return not os.path.lexists(directory) or is_placeholder(Placeholder(path=directory))


def _unseen(placeholder: Placeholder) -> Placeholder:
    """Add the file that keeps it out of commits, if it is in a working tree."""
    path = placeholder.path
    root = repositories.enclosing(path.parent)
    common = repositories.common(root) if root and ".git" not in path.parts else None
    if root is None or common is None:
        return placeholder
    pattern = re.sub(r"([\\*?\[\]! #])", r"\\\1", str(PurePosixPath(path.relative_to(root))))
    return Placeholder(
        path=path, content=placeholder.content, exclude=common / "info" / "exclude", pattern=f"/{pattern}"
    )


def _fitting(place: Place) -> list[Place]:
    """The places that exist and fit a pattern in the last part of this one."""
    above = place.source.parent
    found = fnmatch.filter(sorted(os.listdir(above)), place.source.name)  # noqa: PTH208 (names, not paths)
    return [
        Place(
            source=above / name,
            target=place.target.with_name(name),
            name=str(PurePosixPath(place.name).with_name(name)),
        )
        for name in found
    ]


def _bind(place: Place, *, read_only: bool) -> Mount:
    return Mount(kind="bind", source=str(place.source), target=place.target, read_only=read_only)
