"""The lines of protected.yaml: which paths run something on the host by themselves, and why."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of protected.yaml. `placeholder`: a file's content, None for a directory."""

    path: str
    kind: str
    why: str
    placeholder: str | None
    refuses: bool = False


@cache
def entries(scope: str) -> tuple[Entry, ...]:
    """The lines of protected.yaml, `git` or `repository`."""
    from agent_session.host.yaml_file import read_yaml  # 20 ms that ls need not pay

    data: dict[str, list[dict[str, str]]] = read_yaml(Path(__file__).with_name("protected.yaml"))
    return tuple(
        Entry(
            path=line["path"],
            kind=line["kind"],
            why=line["why"],
            placeholder=None
            if line["kind"] == "directory" or line["placeholder"] == "directory"
            else line["placeholder"],
            refuses=bool(line.get("refuses")),
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
