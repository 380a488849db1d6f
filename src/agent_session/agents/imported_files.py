"""The files that an agent's instructions import with `@path`, as Claude Code reads them."""

import re
from collections.abc import Iterator
from pathlib import Path

from agent_session.host import nofollow

IMPORT = re.compile(r"(?:^|(?<=\s))@((?:[^\s`\\]|\\ )+)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
"""An import in code is none."""
MOST_HOPS = 5
LARGEST = 2 * 1024 * 1024


def of(file: Path) -> tuple[dict[Path, Path], list[str]]:
    """The imported files beside a file or below, by their paths; and how others are written.

    Only what exists is an import: an @name may mean a person.
    """
    top = file.parent.resolve()
    beside: dict[Path, Path] = {}
    elsewhere: list[str] = []
    waiting = [(file.resolve(), MOST_HOPS)]
    while waiting:
        path, hops = waiting.pop()
        for written, target in _imports(path):
            inside = target.resolve().is_relative_to(top) and target.is_relative_to(top)
            if not inside or target.name.startswith("."):
                elsewhere += [] if written in elsewhere else [written]
            elif target.relative_to(top) not in beside:
                beside[target.relative_to(top)] = target
                waiting += [(target, hops - 1)] if hops > 1 else []
    return beside, elsewhere


def _imports(file: Path) -> Iterator[tuple[str, Path]]:
    try:
        text = nofollow.read_whole(file, largest=LARGEST, links=True).decode("utf-8", "replace")
    except (OSError, ValueError):
        return
    for found in IMPORT.findall(CODE.sub("", text)):
        typed = found.replace("\\ ", " ")
        for written in dict.fromkeys([typed, typed.rstrip(".,;:!?)")]):
            if target := _target(written, file.parent):
                yield f"@{written}", target
                break


def _target(written: str, folder: Path) -> Path | None:
    """The file that is written so, None where there is none."""
    try:
        target = folder / Path(written).expanduser()
        target = target.resolve() if ".." in target.parts else target
        return target if target.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a name too long; ~nobody
        return None
