"""How things look: tables, JSON, colour, the progress of a build."""

import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from agent_session import sanitize
from agent_session.cli.context import quiet

if TYPE_CHECKING:
    from agent_session.activity.state import State
    from agent_session.images.build import Tell

COLOURS = {"running": "32", "stopped": "31", "waiting": "33", "failed": "31", "working": "36"}
FOLDED_LINES = 6
STEP = re.compile(r"STEP (\d+)/(\d+): (.*)")
IMAGE = re.compile(r"building \S*agent-session-([^:\s]+):")
UNSAFE = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON lets through of control characters and of those that turn writing round, and what cannot be
encoded."""


def print_json(value: object) -> None:
    """The value on stdout; of what is in it, nothing that a terminal would obey."""
    print(_json(value, indent=2))


def _json(value: object, *, indent: int | None = None) -> str:
    """Every character is in it: escaped where it could do harm, or where stdout cannot say it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    text = UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text if sayable(text) else json.dumps(value, indent=indent)


def sayable(text: str) -> bool:
    """Whether stdout's encoding has these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def wants_colour(stream: TextIO) -> bool:
    """Whether that is a terminal that wants colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def marked(word: str, colour: str, stream: TextIO) -> str:
    """The word that a line begins with, in its colour on a terminal that wants any."""
    return f"\x1b[1;{colour}m{word}\x1b[0m" if wants_colour(stream) else word


def print_line(value: object) -> None:
    """The value on stdout, as one line of a stream."""
    print(_json(value), flush=True)


def coloured(cell: str, stream: TextIO) -> str:
    """A word of a status or a state in its colour, on a terminal that wants any."""
    colour = COLOURS.get(cell.strip())
    return f"\x1b[{colour}m{cell}\x1b[0m" if colour and wants_colour(stream) else cell


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


def build_step(line: str, *, image: str) -> str:
    """What a build is at, where a line of it begins something: "base image, step 6 of 15: RUN apt update".

    "" for any other line.
    """
    what = f"{image} image, " if image else ""
    if IMAGE.match(line):
        return f"{image} image"
    if step := STEP.match(line):
        return f"{what}step {step[1]} of {step[2]}: {step[3]}"
    return f"{what}{line}" if line.startswith("preparing ") else ""


@contextmanager
def build_progress(title: str) -> Iterator["Tell"]:
    """Return a function for the lines of a build: few on a terminal, all of them elsewhere; on stderr."""
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
    spinner = "dots" if "utf" in console.encoding else "line"
    last: deque[str] = deque(maxlen=FOLDED_LINES)
    step, image = [""], ""

    def picture() -> Group:
        head = Text(f"{title} ({time.monotonic() - started:.0f} s)  {step[0]}")
        head.truncate(
            console.width - 4, overflow="ellipsis"
        )  # a spinner does not care how its text is to be wrapped
        lines = [
            Text("  " + sanitize.shown(line), style="dim", no_wrap=True, overflow="ellipsis") for line in last
        ]
        return Group(Spinner(spinner, head), *lines)

    with Live(get_renderable=picture, console=console, refresh_per_second=8, transient=True):

        def tell(line: str) -> None:
            nonlocal image
            if named := IMAGE.match(line):
                image = named[1]
            if now := build_step(line, image=image):
                step[0] = sanitize.shown(now)
                last.clear()
            elif line.strip():
                last.append(line)

        yield tell
    console.print(f"{title}: done in {time.monotonic() - started:.0f} s", highlight=False)
