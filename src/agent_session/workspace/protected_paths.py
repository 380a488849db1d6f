"""The lines of protected.yaml: which paths run something on the host by themselves, and why."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of protected.yaml. `placeholder`: a file's content, None for a directory."""

    path: str
    kind: str
    why: str
    when: str = "tool"
    """One of WHEN's keys."""
    placeholder: str | None = None
    refuses: bool = False
    exclude: tuple[str, ...] = ()
    """Names in a directory that are not looked at."""
    inside: str = "read-only"
    """What an existing one is to the agent: "read-only", "writable", or "own": a copy in memory."""
    strict: bool = True
    """Whether it is held in strict mode."""

    @property
    def pattern(self) -> bool:
        """Whether the path means all files whose names fit."""
        return "*" in self.path


WHEN = {
    "cd": "when a shell enters the directory",
    "open": "when an editor opens it",
    "status": "at a look, such as git status",
    "commit": "at git commit and the like",
    "start": "when another agent starts there",
    "tool": "at any command of that tool",
}


@cache
def entries(scope: str) -> tuple[Entry, ...]:
    """The lines of protected.yaml, `git` or `repository`."""
    from agent_session.host.yaml_file import read_yaml  # 20 ms that ls need not pay

    data: dict[str, list[dict[str, Any]]] = read_yaml(Path(__file__).with_name("protected.yaml"))
    return tuple(
        Entry(
            path=line["path"],
            kind=line["kind"],
            why=line["why"],
            when=line["when"],
            placeholder=None if (held := line.get("placeholder", "directory")) == "directory" else held,
            refuses=line.get("refuses", False),
            exclude=tuple(line.get("except", ())),
            inside=line.get("inside", "read-only"),
            strict=line.get("strict", True),
        )
        for line in data[scope]
    )


def guarded() -> list[str]:
    """The arguments of session-guard: the names of placeholders that are files, and their content."""
    lines = [line for scope in ("git", "repository") for line in entries(scope)]
    return [
        f"{PurePosixPath(line.path).name}={line.placeholder}"
        for line in lines
        if line.placeholder is not None
    ]


def entry_for(path: str, roots: Iterable[str]) -> Entry | None:
    """The line for a path of a project with those roots; None where it is protected for another reason."""
    for root in sorted(roots, key=len, reverse=True):
        if root != "." and not path.startswith(f"{root}/"):
            continue
        inner = path if root == "." else path[len(root) + 1 :]
        for entry in entries("repository"):
            if inner == entry.path or (entry.pattern and fnmatch.fnmatch(inner, entry.path)):
                return entry
    return None
