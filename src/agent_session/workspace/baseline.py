"""The baseline of a session: what its projects held, of what runs by itself, when it was made.

It is kept on the host, where no agent writes: a folder a session, with `baseline.json`, `history.json` and
the contents of small files. All paths in it are relative to projects, which may be moved.
"""

import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from agent_session.host import atomic, nofollow, paths
from agent_session.workspace import git_state, history, protect_mode
from agent_session.workspace.file_state import FileState, Look, Sought, digest
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import Watched

VERSION = 1
SECONDS = 5.0
"""For looking at all projects, when a session is made."""
KEPT_FILE = 256_000
KEPT_ALL = 8_000_000
"""Bytes of content that are kept, to be shown and put back."""
LARGEST = 20_000_000
SETTLED = 50_000_000
"""Nanoseconds after which a file that changes again has another time of change."""


@dataclass(kw_only=True)
class Tree:
    """The baseline of one project; `taken` are contents that count as known besides, by path."""

    target: PurePosixPath
    source: Path
    """Where it was at the last start."""
    roots: list[str]
    repositories: list[str]
    bare: list[str]
    named: dict[str, str]
    states: dict[str, FileState] = field(default_factory=dict)
    taken: dict[str, list[str]] = field(default_factory=dict)
    foreign: dict[str, list[str]] = field(default_factory=dict)
    """Contents that the history was searched for in vain, by path."""
    git: dict[str, git_state.State] = field(default_factory=dict)
    """What each root's git directory held that git obeys or writes through."""


@dataclass(kw_only=True)
class Baseline:
    """All that is recorded of a session's projects; `sought` are the paths that count in each root."""

    folder: Path
    mode: str
    sought: tuple[Sought, ...]
    left_out: tuple[str, ...]
    trees: list[Tree]

    def content(self, known: FileState) -> bytes | None:
        """The content of a file as it was recorded; None where it was too large to be kept."""
        name = known.content.partition("+")[0]
        if not name.isalnum():
            return None
        try:
            content = nofollow.read(self.folder / "contents" / name, largest=KEPT_FILE)
        except OSError:
            return None
        return content if digest(content) == known.content else None

    def look(self, tree: Tree, opened: int, *, deadline: float) -> Look:
        """Look at a project, which is open, as it is now."""
        look = Look(known=tree.states, deadline=deadline, left_out=self.left_out)
        for root in tree.roots:
            look.at_root(opened, root, self.sought)
        if tree.named and self.sought:
            look.at_root(opened, ".", [Sought(path=path) for path in tree.named])
        look.at_links(opened)
        return look

    def save(self) -> None:
        """Write it down; another agent-session sees the old or the new one."""
        record = {
            "version": VERSION,
            "mode": self.mode,
            "sought": "\n".join("\t".join((one.path, *one.exclude)) for one in self.sought),
            "left_out": list(self.left_out),
            "trees": [_written(tree) for tree in self.trees],
        }
        text = json.dumps(record, ensure_ascii=True, separators=(",", ":"))
        atomic.replace(self.folder / "baseline.json", text.encode())

    def keep_content(self, content: bytes) -> None:
        """Keep the content of a file, if it is small."""
        folder = self.folder / "contents"
        folder.mkdir(mode=0o700, exist_ok=True)
        used = sum(file.stat().st_size for file in folder.iterdir())
        if len(content) <= KEPT_FILE and used + len(content) <= KEPT_ALL:
            atomic.replace(folder / digest(content), content)


def folder(name: str) -> Path:
    """The folder of a session of that name."""
    return paths.review_folder() / name


def load(name: str) -> Baseline | None:
    """Read the baseline of a session; None where there is none that can be read."""
    place = folder(name)
    try:
        record = json.loads(nofollow.read_whole(place / "baseline.json", largest=LARGEST))
        if record["version"] != VERSION:
            return None
        return Baseline(
            folder=place,
            mode=record["mode"],
            sought=_sought(record["sought"]),
            left_out=tuple(record["left_out"]),
            trees=[_read(tree) for tree in record["trees"]],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record(
    name: str, trees: Sequence[Project], watched: Iterable[Watched], *, mode: str, left_out: Sequence[str]
) -> None:
    """Record what the projects hold, in place of what was recorded. Raises OSError."""
    from agent_session.workspace.protected_paths import entries

    forget(name)
    place = folder(name)
    place.mkdir(mode=0o700, parents=True)
    sought = [Sought(path=one.path, exclude=one.exclude) for one in entries("repository")]
    baseline = Baseline(
        folder=place,
        mode=mode,
        sought=tuple(sought) if mode == protect_mode.REVIEW else (),
        left_out=tuple(left_out),
        trees=[],
    )
    tips = _add(baseline, trees, watched)
    (place / "history.json").write_text(json.dumps(tips))
    baseline.save()


def extend(baseline: Baseline, projects: Sequence[Project], watched: Iterable[Watched]) -> None:
    """Record projects that a session has not had, and forget those that it has no more. Raises OSError."""
    targets = {project.target for project in projects}
    known = {tree.target for tree in baseline.trees}
    new = [one for one in watched if one.tree not in known]
    if not new and known <= targets:
        return
    baseline.trees = [tree for tree in baseline.trees if tree.target in targets]
    history_file = baseline.folder / "history.json"
    try:
        tips = json.loads(nofollow.read_whole(history_file, largest=LARGEST))
    except (OSError, ValueError):
        tips = {}
    tips |= _add(baseline, projects, new)
    atomic.replace(history_file, json.dumps(tips).encode())
    baseline.save()


def _add(
    baseline: Baseline, projects: Sequence[Project], watched: Iterable[Watched]
) -> dict[str, dict[str, list[str]]]:
    """Record what these projects hold; returns where their branches point, by place and repository."""
    sources = {project.target: project.source for project in projects}
    tips: dict[str, dict[str, list[str]]] = {}
    seen = {tree.source / root for tree in baseline.trees for root in tree.roots}
    deadline = time.monotonic() + SECONDS
    for one in watched:
        source = sources[one.tree]
        roots = [root for root in one.roots if source / root not in seen]
        seen.update(source / root for root in roots)
        tree = Tree(
            target=one.tree,
            source=source,
            roots=roots,
            repositories=list(one.repositories),
            bare=list(one.bare),
            named=dict(one.named),
        )
        baseline.trees.append(tree)
        _fill(baseline, tree, source, deadline)
        _fill_git(tree, source, deadline)
        tips[str(one.tree)] = {root: history.tips(source / root) for root in roots}
    return tips


def renew(baseline: Baseline, projects: Sequence[Project], left_out: Sequence[str]) -> None:
    """Take over what another release looks at besides, and what the user leaves out now. Raises OSError."""
    from agent_session.workspace.protected_paths import entries

    sought = tuple(Sought(path=one.path, exclude=one.exclude) for one in entries("repository"))
    sources = {project.target: project.source for project in projects}
    moved = [tree for tree in baseline.trees if sources.get(tree.target, tree.source) != tree.source]
    for tree in moved:
        tree.source = sources[tree.target]
    if (not moved) and (baseline.sought in {sought, ()}) and baseline.left_out == tuple(left_out):
        return
    known = {one.path for one in baseline.sought}
    added = [one for one in sought if one.path not in known] if baseline.sought else []
    baseline.left_out = tuple(left_out)
    baseline.sought = tuple(added)
    for tree in baseline.trees:
        if tree.target in sources:
            _fill(baseline, tree, sources[tree.target], time.monotonic() + SECONDS)
    baseline.sought = sought if known else ()
    baseline.save()


def recorded_tips(baseline: Baseline, tree: Tree, root: str) -> list[str]:
    """The commits that the branches of a repository pointed to when the session was made."""
    try:
        found = json.loads(nofollow.read_whole(baseline.folder / "history.json", largest=LARGEST))
        return [str(tip) for tip in found[str(tree.target)].get(root, ())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def forget(name: str) -> None:
    """Remove what is recorded of a session."""
    shutil.rmtree(folder(name), ignore_errors=True)


def settled(state: FileState) -> FileState:
    """The state without its times, if a change at this moment would not show in them."""
    young = bool(state.stat) and time.time_ns() - state.stat[3] < SETTLED
    return state._replace(stat=()) if young else state


def _fill(baseline: Baseline, tree: Tree, source: Path, deadline: float) -> None:
    try:
        opened = nofollow.open_directory(source)
    except OSError:
        return
    try:
        found = baseline.look(tree, opened, deadline=deadline).found
        for path, state in found.items():
            tree.states[path] = settled(state)
            if state.kind == "file" and 0 <= state.stat[0] <= KEPT_FILE:
                baseline.keep_content(nofollow.read(opened, *path.split("/"), largest=KEPT_FILE))
    finally:
        os.close(opened)


def _fill_git(tree: Tree, source: Path, deadline: float) -> None:
    for root in tree.roots:
        if git := git_state.directory(source / root):
            tree.git[root], _ = git_state.look(git, deadline=deadline)


@cache
def _sought(text: str) -> tuple[Sought, ...]:
    """Paths, a line each, with what is excluded in them; most sessions have the same."""
    lines = (line.split("\t") for line in text.splitlines())
    return tuple(Sought(path, tuple(names)) for path, *names in lines)


def _written(tree: Tree) -> dict[str, object]:
    states = {
        path: [s.kind, s.by, s.content, int(s.executable), list(s.stat)] for path, s in tree.states.items()
    }
    return {
        "target": str(tree.target),
        "source": str(tree.source),
        "roots": tree.roots,
        "repositories": tree.repositories,
        "bare": tree.bare,
        "named": tree.named,
        "states": states,
        "taken": tree.taken,
        "foreign": tree.foreign,
        "git": tree.git,
    }


def _read(tree: Mapping[str, object]) -> Tree:
    found: dict[str, dict[str, list]] = tree  # type: ignore[assignment, type-arg]
    states = {
        path: FileState(kind, by, content, bool(executable), tuple(stat))
        for path, (kind, by, content, executable, stat) in found["states"].items()
    }
    return Tree(
        target=PurePosixPath(str(tree["target"])),
        source=Path(str(tree["source"])),
        roots=list(found["roots"]),
        repositories=list(found["repositories"]),
        bare=list(found["bare"]),
        named=found["named"],  # type: ignore[arg-type]
        states=states,
        taken=found["taken"],
        foreign=found["foreign"],
        git=found.get("git", {}),  # type: ignore[arg-type]
    )
