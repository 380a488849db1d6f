"""`agent-session screen`: what a session's terminal shows now, as text or as a picture."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from agent_session.cli import output
from agent_session.cli.context import Invocation
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Option
from agent_session.errors import ConflictError, Hint, UsageError

Scrollback = Annotated[
    bool, Option("--scrollback", help="Everything it has shown, not only what is visible now.")
]
Svg = Annotated[
    Path | None,
    Option("--svg", metavar="FILE", help="Write a picture with colours instead."),
]

PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
  font-family="monospace" font-size="{char_height}px">
<style>
.{unique_id}-matrix {{ line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""rich's own template without its fonts, which a viewer would fetch from the web."""


def screen(
    invocation: Invocation, name: NameOrDefault = None, scrollback: Scrollback = False, svg: Svg = None
) -> None:
    """Print what a session's terminal shows; in colours on a terminal that wants any."""
    from agent_session import sanitize
    from agent_session.activity import terminal
    from agent_session.sessions import find

    if svg and not svg.absolute().parent.is_dir():
        raise UsageError(
            f"there is no directory {str(svg.absolute().parent)!r}",
            hint=Hint(shell=f"mkdir -p {shlex.quote(str(svg.parent))}"),
        )
    if svg and svg.is_dir():
        raise UsageError(
            f"{str(svg)!r} is a directory",
            hint=Hint("screen", [*([name] if name else []), "--svg", f"{svg}/{name or 'screen'}.svg"]),
        )
    with invocation.engine(one_question=True) as engine:
        name = invocation.name(engine, name, verb="screen")
        text = terminal.shown(engine, terminal.running(engine, name), scrollback=scrollback)
        fenced = find.written_by_agents(find.list_sessions(engine)) if svg else []
    if svg:
        _write(svg, picture(text, title=name), fenced)
    elif output.wants_colour(sys.stdout):
        print(text + "\x1b[m")
    else:
        print(sanitize.lines(text))


def picture(text: str, *, title: str) -> str:
    """An SVG of a terminal that shows the text, whose escape sequences are colours."""
    import io

    from rich.console import Console
    from rich.text import Text

    lines = Text.from_ansi(text)
    width = max(40, *(line.cell_len for line in lines.split("\n")), 0)
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(lines, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)
    return console.export_svg(title=title, code_format=PICTURE)


def _write(file: Path, text: str, fenced: Sequence[Path]) -> None:
    """Write a file in one step: it is whole or as it was. Its mode is what a new file gets.

    No link is followed in the directories `fenced`, which agents write in.
    """
    from agent_session.host import atomic

    try:
        atomic.replace(file, text.encode(), mode=0o666, fenced=fenced)
    except OSError as error:
        raise ConflictError(f"{file} cannot be written: {error.strerror}") from error
