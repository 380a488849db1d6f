"""What differs in a session's projects from their baseline, of all that this machine runs by itself."""

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from agent_session.host import nofollow
from agent_session.workspace import baseline as baselines
from agent_session.workspace.baseline import Baseline, Tree
from agent_session.workspace.file_state import FileState, Look, digest
from agent_session.workspace.projects import Project

if TYPE_CHECKING:
    from agent_session.workspace import git_state, planted

SECONDS = 2.0
"""For the look at all projects of a session."""
MOST_SOUGHT = 20
"""Contents that the history is searched for in one look."""
LARGEST_SOUGHT = 1_000_000

Kind = Literal["new", "changed", "removed", "new repository"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A path that differs; `path` is relative to the project that is at `target` in the container.

    `by` is the protected path that it is, or is below; `files` counts those of a new or removed directory;
    `keys` are those in a new repository's config that name commands.
    """

    source: Path
    target: PurePosixPath
    path: str
    kind: Kind
    by: str = ""
    why: str = ""
    when: str = ""
    files: int = 1
    keys: tuple[str, ...] = ()

    @property
    def host_path(self) -> Path:
        """Where it is on this machine."""
        return self.source / self.path


@dataclass(frozen=True, kw_only=True)
class Review:
    """The changes of a session's projects; not `complete` where there was too much to look at."""

    changes: tuple[Change, ...] = ()
    complete: bool = True
    recorded: bool = True


def count(name: str, projects: Sequence[Project], *, deadline: float) -> int:
    """How many paths differ, for a list of sessions: new repositories are not looked for."""
    baseline = baselines.load(name)
    if baseline is None or not baseline.sought:
        return 0
    return sum(len(grouped) for _, _, grouped, _ in _differences(baseline, projects, deadline=deadline))


def look(name: str, projects: Sequence[Project]) -> Review:
    """Look for all that differs in a session's projects, repositories that are new included."""
    from agent_session.workspace import git_state, planted

    baseline = baselines.load(name)
    if baseline is None:
        return Review(recorded=False)
    deadline = time.monotonic() + SECONDS
    changes: list[Change] = []
    complete = True
    for tree, project, grouped, whole in _differences(baseline, projects, deadline=deadline):
        complete = complete and whole
        changes += [_explained(tree, project, *one) for one in grouped]
    for tree, project in _paired(baseline, projects):
        skip = [*baseline.left_out, *(_inner(project, projects))]
        found, whole = planted.find(
            project.source, tree.repositories, tree.bare, skip=skip, deadline=deadline
        )
        complete = complete and whole
        changes += [_repository(project, one) for one in found]
        left, whole = git_state.left_in(
            project.source, tree.git, left_out=baseline.left_out, deadline=deadline
        )
        complete = complete and whole
        changes += [_in_git(project, one) for one in left]
    return Review(changes=tuple(changes), complete=complete)


Difference = tuple[str, Kind, str, int]
"""Path, kind, protected path, number of files."""


def _differences(
    baseline: Baseline, projects: Sequence[Project], *, deadline: float
) -> Iterable[tuple[Tree, Project, list[Difference], bool]]:
    """What differs in each project, without what its history had when the session was made."""
    sought = MOST_SOUGHT
    learnt = False
    for tree, project in _paired(baseline, projects):
        try:
            opened = nofollow.open_directory(project.source)
        except OSError:
            continue
        try:
            now = baseline.look(tree, opened, deadline=deadline)
            differing = [path for path in _differing(tree, now) if not _is_taken(tree, now, path)]
            unsure = [path for path in differing if not _is_foreign(tree, now, path)]
            for path in unsure[:sought]:
                if time.monotonic() > deadline:
                    break
                sought -= 1
                learnt = _learn(baseline, tree, project, opened, now, path) or learnt
            differing = [path for path in differing if not _is_taken(tree, now, path)]
        finally:
            os.close(opened)
        yield tree, project, list(_grouped(tree, now, differing)), now.complete
    if learnt:
        _save(baseline)


def _differing(tree: Tree, now: Look) -> list[str]:
    """The paths whose state differs, a directory only where it has become one or is none any more."""
    changed = [path for path, state in now.found.items() if state.differs(tree.states.get(path))]
    gone = [path for path in tree.states if path not in now.found] if now.complete else []
    return sorted({*changed, *gone})


def _signature(now: Look, path: str) -> str:
    """What is noted of a file's state in the lists of known and unknown ones; "" for one that is gone."""
    state = now.found.get(path)
    return f"{state.content}{'+x' * state.executable}" if state else ""


def _is_taken(tree: Tree, now: Look, path: str) -> bool:
    """Whether the history had the file, or the lack of it, when the session was made."""
    return _signature(now, path) in tree.taken.get(path, ())


def _is_foreign(tree: Tree, now: Look, path: str) -> bool:
    """Whether the history need not be searched: it was, or it could not have that."""
    state = now.found.get(path) or tree.states[path]
    return state.kind != "file" or not state.content or _signature(now, path) in tree.foreign.get(path, ())


def _learn(baseline: Baseline, tree: Tree, project: Project, opened: int, now: Look, path: str) -> bool:
    """Search the history for a file's state, and note the answer."""
    from agent_session.workspace import history

    root = max((r for r in tree.roots if r == "." or path.startswith(f"{r}/")), key=len, default=".")
    inner = path if root == "." else path[len(root) + 1 :]
    tips = baselines.recorded_tips(baseline, tree, root)
    state = now.found.get(path)
    if state is None:
        known = history.some_lack(project.source / root, tips, inner)
    else:
        try:
            content = nofollow.read(opened, *path.split("/"), largest=LARGEST_SOUGHT)
        except OSError:
            return False
        if digest(content) != state.content:
            return False
        known = history.has(project.source / root, tips, inner, content, executable=state.executable)
    answers = (tree.taken if known else tree.foreign).setdefault(path, [])
    answers.append(_signature(now, path))
    del answers[:-MOST_SOUGHT]
    return True


def _save(baseline: Baseline) -> None:
    with contextlib.suppress(OSError):  # the answer is found again next time
        baseline.save()


def _grouped(tree: Tree, now: Look, differing: Sequence[str]) -> Iterable[Difference]:
    """The differences, a directory that is new or gone with all that is in it as one."""
    paths = set(differing)
    heads: dict[str, list[str]] = {}
    for path in differing:
        above = path
        while (parent := above.rpartition("/")[0]) in paths and _whole(tree, now, parent):
            above = parent
        is_directory = _state(tree, now, path).kind == "directory"
        heads.setdefault(above, []).extend([] if is_directory else [path])
    for head, files in heads.items():
        state = _state(tree, now, head)
        if state.kind == "directory" and not files and not state.content:
            continue  # an empty one runs nothing
        path = files[0] if len(files) == 1 else head
        kind: Kind = "changed" if path in tree.states and path in now.found else "new"
        yield path, "removed" if path not in now.found else kind, state.by, max(len(files), 1)


def _whole(tree: Tree, now: Look, directory: str) -> bool:
    """Whether a directory is new, or gone."""
    return (directory in tree.states) != (directory in now.found)


def _state(tree: Tree, now: Look, path: str) -> FileState:
    return now.found.get(path) or tree.states[path]


def _explained(tree: Tree, project: Project, path: str, kind: Kind, by: str, files: int) -> Change:
    from agent_session.workspace.protected_paths import WHEN, entry_for

    entry = entry_for(by, tree.roots)
    key = tree.named.get(by)
    why = entry.why if entry else f"git's config names it ({key})" if key else ""
    when = WHEN[entry.when if entry else "status"]
    return Change(
        source=project.source,
        target=project.target,
        path=path,
        kind=kind,
        by=by,
        why=why,
        when=when,
        files=files,
    )


def _repository(project: Project, found: "planted.Repository") -> Change:
    keys = found.keys
    sets = f"its config sets {', '.join(keys)}" if keys else "its config names no command now"
    why = f"git and all that asks git obey its config and hooks in there; {sets}"
    return Change(
        source=project.source,
        target=project.target,
        path=found.path,
        kind="new repository",
        by=found.path,
        why=why,
        when="at a look there, such as git status",
        keys=keys,
    )


def _in_git(project: Project, left: "git_state.Left") -> Change:
    path = left.seen_from(project.source)
    return Change(
        source=project.source,
        target=project.target,
        path=path,
        kind="changed" if left.is_config else "new",
        by=path,
        why=left.why,
        when="at a look there, such as git status"
        if left.is_config
        else "at work with git, such as a commit",
        keys=left.keys,
    )


def _paired(baseline: Baseline, projects: Sequence[Project]) -> list[tuple[Tree, Project]]:
    """The trees of a baseline with the projects that they are of."""
    by_target = {project.target: project for project in projects}
    return [(tree, by_target[tree.target]) for tree in baseline.trees if tree.target in by_target]


def _inner(project: Project, projects: Sequence[Project]) -> list[str]:
    """The other projects in one, which are looked at by themselves."""
    return [
        other.source.relative_to(project.source).as_posix()
        for other in projects
        if project.source in other.source.parents
    ]
