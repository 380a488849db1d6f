"""How things look: tables, JSON, colour, the progress of a build."""

import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from agent_session.cli.invocation import quiet

if TYPE_CHECKING:
    from agent_session.images import Tell
    from agent_session.session import Session
    from agent_session.states import State

COLOURS = {"running": "32", "stopped": "31", "waiting": "33", "failed": "31", "working": "36"}
FOLDED_LINES = 6
UNSAFE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON lets through of control characters, and what cannot be encoded."""


def print_json(value: object) -> None:
    """The value on stdout; of what is in it, nothing that a terminal would obey."""
    print(_escaped(json.dumps(value, indent=2, ensure_ascii=False)))


def session_json(session: "Session", state: "State | None" = None) -> dict[str, Any]:
    """The object of `ls --json`, without a state where none was asked for; keys are only ever added."""
    from agent_session import states

    return {
        "name": session.name,
        "agent": session.agent,
        "status": session.status,
        **({"state": states.as_json(state)} if state else {}),
        "projects": [{"source": str(p.source), "target": str(p.target)} for p in session.projects],
        "created": session.created.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "container": session.container,
        "image": session.image,
        "auto_approve": session.options.auto_approve,
        "unprotected": list(session.options.unprotected),
        "taught": session.options.taught,
        "git_signing": session.options.git_signing,
        "ssh_agent": bool(session.options.ssh_agent),
        "github_token": session.options.github_token,
        "memory": session.options.memory or None,
        "cpus": session.options.cpus or None,
        "pids": session.options.pids or None,
    }


def print_line(value: object) -> None:
    """The value on stdout, as one line of a stream."""
    print(_escaped(json.dumps(value, ensure_ascii=False)), flush=True)


def _escaped(text: str) -> str:
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns; words of statuses and states in their colours on a terminal that wants any."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        cells = [plain(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(coloured(cell, sys.stdout) for cell in cells).rstrip())


def coloured(cell: str, stream: TextIO) -> str:
    """A word of a status or a state in its colour, on a terminal that wants any."""
    colour = COLOURS.get(cell.strip())
    return f"\x1b[{colour}m{cell}\x1b[0m" if colour and stream.isatty() and not os.environ.get("NO_COLOR") else cell


def plain(text: str) -> str:
    """The text without what could move a cursor or change a colour."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(text: str, longest: int = 2000) -> str:
    """A stranger's text as one line that nothing can hide in."""
    from agent_session import screens

    return " ".join(screens.plain(text).split())[:longest]


def ago(moment: datetime) -> str:
    """How long since: "5 minutes ago"."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def since(state: "State") -> str:
    """How long a state lasts already, "-" where nobody knows."""
    return ago(state.since) if state.since else "-"


@contextmanager
def build_progress(title: str) -> Iterator["Tell"]:
    """Gives a function for the lines of a build: folded to a few on a terminal, all of them elsewhere; on stderr."""
    if quiet():
        yield lambda _line: None
        return
    if not sys.stderr.isatty():
        yield lambda line: print(line, file=sys.stderr, flush=True)
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(stderr=True)
    started = time.monotonic()
    last: deque[str] = deque(maxlen=FOLDED_LINES)
    step = [title]

    def picture() -> Group:
        head = f"{step[0]}  ({time.monotonic() - started:.0f} s)"
        lines = [Text("  " + plain(line), style="dim", no_wrap=True, overflow="ellipsis") for line in last]
        return Group(Spinner("dots", Text(head, no_wrap=True, overflow="ellipsis")), *lines)

    with Live(get_renderable=picture, console=console, refresh_per_second=8, transient=True):

        def tell(line: str) -> None:
            if line.startswith(("STEP ", "building ")):
                step[0] = f"{title}: {plain(line)}"
                last.clear()
            elif line.strip():
                last.append(line)

        yield tell
    console.print(f"{title}: done in {time.monotonic() - started:.0f} s", highlight=False)
