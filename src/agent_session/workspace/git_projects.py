"""What git has on the host in each project: for the settings that a session gets."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent_session.host import nofollow
from agent_session.host.git_identity import GitProject
from agent_session.workspace import git_config, repositories
from agent_session.workspace.projects import Project

FILTER = re.compile(r"^[^#\s].*?\sfilter=([A-Za-z0-9_.-]+)", re.MULTILINE)
KNOWN = frozenset({"lfs"})
"""Filters that the images have."""
DIRECTORIES = 2000
"""How many are looked into for files with attributes, parents first."""
LARGEST = 1_000_000


def describe(projects: Sequence[Project]) -> tuple[GitProject, ...]:
    """Say which git directories the projects have in a session, and which filters their files need."""
    return tuple(_described(project) for project in projects)


def filter_notes(projects: Sequence[GitProject]) -> list[str]:
    """A line for each project whose files go through filters that the session has not."""
    return [
        f"{one.directory}: files there are committed through the filter {', '.join(one.filters)}, which the "
        "session does not have: git add refuses them there; commit them on this machine"
        for one in projects
        if one.filters
    ]


def _described(project: Project) -> GitProject:
    inside = [f"{project.target}/"]
    pointer = repositories.pointer(project.source)
    if pointer:
        inside.append(f"{pointer.expected(project.target)}/")
    common = repositories.common(project.source)
    if common is None:
        return GitProject(directory=project.source, inside=tuple(inside))
    configured = {
        key.split(".", 1)[1].rpartition(".")[0]
        for key, _ in git_config.read(common)
        if key.startswith("filter.")
    }
    needed = {name for text in _attributes(project.source, common) for name in FILTER.findall(text)}
    missing = tuple(sorted(needed - KNOWN - configured))
    return GitProject(directory=project.source, inside=tuple(inside), filters=missing)


def _attributes(tree: Path, git: Path) -> Iterator[str]:
    """The texts of a repository's files with attributes."""
    yield _text(git / "info" / "attributes")
    waiting = [tree]
    for directory in waiting:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.name == ".gitattributes":
                        yield _text(Path(entry.path))
                    elif (
                        len(waiting) < DIRECTORIES
                        and entry.name not in {".git", *repositories.BULKY}
                        and entry.is_dir(follow_symlinks=False)
                    ):
                        waiting.append(Path(entry.path))
        except OSError:
            continue


def _text(file: Path) -> str:
    try:
        return nofollow.read(file, largest=LARGEST).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
