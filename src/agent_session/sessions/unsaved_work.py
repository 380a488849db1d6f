"""Work at risk: what in a session's volumes exists nowhere else, and would go with it.

Looked for by a program of the image in a container of its own, with everything read-only and no network: git
is never run on the host over what an agent wrote. Most sessions can be cleared faster, by seeing that there
is no repository at all.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agent_session import inside
from agent_session.agents.catalog import Agent
from agent_session.engine.command import OneOff
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused
from agent_session.sessions import local_files, plan
from agent_session.sessions.names import volume_names
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone
from agent_session.workspace.projects import Project

LOOKED_AT = 20_000
SECONDS = 300

Wanted = Callable[[dict[str, bool]], bool]
"""Of a directory's entries, each with whether it is a directory itself."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A session's volumes and what is mounted over them; `image` is one of ours, to look with."""

    name: str
    image: str
    projects: tuple[Project, ...]
    agent: Agent | None
    clones: tuple[Clone, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work that would be lost, one line each; `conversations` alone are not worth a refusal."""

    lost: tuple[str, ...] = ()
    conversations: int = 0

    @property
    def lines(self) -> list[str]:
        """All of it."""
        return [*self.lost, *([_counted(self.conversations, "conversation")] if self.conversations else [])]


def none_obviously(engine: Engine, contents: Contents) -> bool:
    """Whether directories alone show that nothing is unsaved; False also means that it is not sure.

    There is no repository in the volumes then, and no file in /workspace.
    """
    home, workspace = volume_names(contents.name)
    for volume, wanted in ((home, _is_repository), (workspace, _is_something)):
        path = local_files.volume_path(engine, volume)
        if path is None and engine.volume_labels(volume) is None:
            continue
        if path is None or not _none(path, wanted, _disposable(contents.agent)):
            return False
    return True


def at_risk(engine: Engine, contents: Contents) -> Work:
    """The thorough look. EngineRefused where that cannot be done."""
    asked = {
        "mounts": [str(project.target) for project in contents.projects],
        "conversations": contents.agent.conversations if contents.agent else "",
        "disposable": list(_disposable(contents.agent)),
    }
    one_off = OneOff(
        image=contents.image,
        command=(inside.UNSAVED_WORK,),
        mounts=tuple(_mounts(engine, contents)),
    )
    done = engine.run_one_off(one_off, stdin=json.dumps(asked).encode(), timeout=SECONDS)
    try:
        if done.exit_code:
            raise ValueError(done.message)
        return _work(json.loads(done.stdout), contents)
    except (ValueError, KeyError, TypeError) as error:
        raise EngineRefused(
            f"session '{contents.name}' cannot be searched for unsaved work: {error}"
        ) from error


def unfetched(engine: Engine, session: Session) -> list[str]:
    """List what a session's clones hold that was not fetched; empty for a session without clones."""
    if not session.clones:
        return []
    contents = Contents(
        name=session.name,
        image=session.image,
        projects=session.projects,
        agent=None,
        clones=session.clones,
    )
    try:
        lost = at_risk(engine, contents).lost
    except EngineRefused as error:
        return [error.message]
    own = tuple(f"{clone.target}: " for clone in session.clones)
    return [line for line in lost if line.startswith(own)]


def _work(answer: dict[str, Any], contents: Contents) -> Work:
    own = {str(clone.target) for clone in contents.clones}
    lost = [
        f"{item['path']}: {', '.join(_words(item, 'fetched' if item['path'] in own else 'pushed'))}"
        for item in answer["repositories"]
    ]
    if answer["files"]:
        more = f" and {answer['more_files']} more" if answer["more_files"] else ""
        count = len(answer["files"]) + answer["more_files"]
        lost.append(
            f"{_counted(count, 'file')} in /workspace outside any project: {', '.join(answer['files'])}{more}"
        )
    return Work(lost=tuple(lost), conversations=int(answer["conversations"]))


def _words(repository: dict[str, Any], done: str) -> Iterator[str]:
    for branch in repository["branches"]:
        yield f"{_counted(branch['commits'], 'commit')} of {branch['name']} not {done}"
    if repository["changes"]:
        yield _counted(repository["changes"], "uncommitted change")
    if repository["stashes"]:
        yield _counted(repository["stashes"], "stash", "stashes")
    if repository["problem"]:
        yield f"git cannot tell ({repository['problem']})"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _mounts(engine: Engine, contents: Contents) -> Iterator[Mount]:
    """Read-only, projects too: a worktree in /workspace may belong to one."""
    for mount in plan.volume_mounts(contents.name, read_only=True):
        if engine.volume_labels(mount.source) is not None:
            yield mount
    yield from (one for one in plan.borrowed(contents.clones) if Path(one.source).is_dir())
    for project in contents.projects:
        if project.source.is_dir():
            yield Mount(
                kind="bind", source=str(project.source), target=PurePosixPath(project.target), read_only=True
            )


def _disposable(agent: Agent | None) -> tuple[str, ...]:
    return agent.disposable if agent else ()


def _none(top: Path, wanted: Wanted, disposable: Iterable[str]) -> bool:
    """Whether no directory below `top` is wanted.

    False as well where one cannot be read, or there are too many to look at.
    """
    waiting, seen = [top], 0
    skipped = {top / name for name in disposable}
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        except OSError:
            return False
        seen += len(found)
        if seen > LOOKED_AT or wanted(found):
            return False
        waiting += {folder / name for name, is_folder in found.items() if is_folder} - skipped
    return True


def _is_repository(entries: dict[str, bool]) -> bool:
    return ".git" in entries or entries.keys() >= {"HEAD", "objects", "refs"}


def _is_something(entries: dict[str, bool]) -> bool:
    return not all(entries.values())
