"""What a container is protected with: data that the planning of a container needs, and its label.

scan.py finds it out; protected.yaml says which paths, and why.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from agent_session.engine.container import Mount
from agent_session.workspace.placeholders import Placeholder

VARIABLE = "AGENT_SESSION_PROTECTED_GIT"
"""In the container: a line for each git directory whose config is not the agent's; read by its git."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What is told of a project when it differs, in paths relative to it.

    `tree` is its place in the container; `roots` are it, the other projects and the repositories in it, in
    each of which the paths of protected.yaml count; `named` are files that git's config names, with the key.
    """

    tree: PurePosixPath
    roots: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    """Those of them that have a `.git`."""
    bare: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The protection of a container: mounts in any order, `git` as in VARIABLE, notes for the user."""

    mounts: tuple[Mount, ...] = ()
    placeholders: tuple[Placeholder, ...] = ()
    watched: tuple[Watched, ...] = ()
    git: tuple[PurePosixPath, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of all that a container is made with; not of which paths are placeholders today."""
        import hashlib  # 2 ms that ls, which only reads labels, need not pay

        mounts = sorted((str(m.target), m.source, m.kind, m.read_only) for m in self.mounts)
        return hashlib.sha256(repr((mounts, sorted(self.git))).encode()).hexdigest()[:16]

    @property
    def environment(self) -> dict[str, str]:
        """The variables for the container's `git`."""
        return {VARIABLE: "\n".join(map(str, self.git))} if self.git else {}

    def label(self) -> str:
        """Write what `read_label` reads."""
        placeholders = [
            [str(p.path), p.content, str(p.exclude) if p.exclude else None, p.pattern]
            for p in self.placeholders
        ]
        return json.dumps({"digest": self.digest, "placeholders": placeholders}, ensure_ascii=False)


NONE = Protection()
KEPT = 2048
"""Labels whose reading is kept: a server reads all of them at each list."""


@lru_cache(maxsize=KEPT)
def read_label(label: str) -> tuple[str, tuple[Placeholder, ...]]:
    """Read the digest and the placeholders that a container was made with.

    Any program can write a label, so an unreadable one is read as ("", ()).
    """
    try:
        record = json.loads(label)
        placeholders = tuple(
            Placeholder(
                path=Path(path), content=content, exclude=Path(exclude) if exclude else None, pattern=pattern
            )
            for path, content, exclude, pattern in record["placeholders"]
        )
        return str(record["digest"]), placeholders
    except (ValueError, TypeError, KeyError):
        return "", ()
