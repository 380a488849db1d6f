"""Tables: whole in a pipe, and on a terminal as much of them as fits."""

import sys
from collections.abc import Sequence
from itertools import product
from unicodedata import combining, east_asian_width

from agent_session import sanitize
from agent_session.cli.output import coloured, sayable

NARROWEST = 6
"""Columns of a cell that is shortened."""
GAP = 2
PATHS = ("/", "~/")
"""How a text begins that keeps its end."""


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    less: Sequence[str] = (),
    last: Sequence[Sequence[str]] = (),
) -> None:
    """Print aligned columns; words of statuses and states have their colours on a terminal that wants any.

    A terminal gets the first of these that fits: the last column in one of its other forms (`last`, from long
    to short, a list of cells each), without one more column of `less`; then its shortest form, shortened.
    """
    forms = [[sanitize.shown(cell) for cell in form] for form in last]
    table = [[sanitize.shown(cell) for cell in row] for row in (columns, *rows)]
    widths = _widths(table)
    if sys.stdout.isatty():
        table, widths = _fitting(table, forms, [columns.index(name) for name in less])
    for row in table:
        shown = [_cell(cell, width) for cell, width in zip(row, widths, strict=True) if width]
        print((" " * GAP).join(coloured(cell, sys.stdout) for cell in shown).rstrip())


Table = list[list[str]]


def _widths(table: Table) -> list[int]:
    return [max(map(cells, column)) for column in zip(*table, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (sum(width > 0 for width in widths) - 1)


def _fitting(table: Table, forms: Table, less: Sequence[int]) -> tuple[Table, list[int]]:
    """The table as it fits, and the width of each column; 0 for a column that is left out."""
    import shutil  # 2 ms that a table in a pipe need not pay

    room = shutil.get_terminal_size().columns
    tables = [
        [table[0]] + [[*row[:-1], cell] for row, cell in zip(table[1:], form, strict=True)] for form in forms
    ]
    *longer, shortest = tables or [table, table]
    tries = [*product(range(len(less) + 1), longer), (len(less), shortest)]
    version, widths = table, _widths(table)
    for left_out, version in tries:
        widths = [0 if place in less[:left_out] else width for place, width in enumerate(_widths(version))]
        if _total(widths) <= room:
            return version, widths
    return version, _shortened(widths, room)


def _shortened(widths: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the widest columns but the first are shortened, then the last ones are left out."""
    fitting = list(widths)
    while _total(fitting) > room:
        widest = max(range(len(fitting) - 1, 0, -1), key=lambda place: fitting[place], default=0)
        if fitting[widest] > NARROWEST:
            fitting[widest] -= 1
        elif any(fitting[1:]):
            fitting[max(place for place, width in enumerate(fitting) if width)] = 0
        else:
            break
    return fitting


def _cell(text: str, width: int) -> str:
    """A cell of that width; a path that is too long keeps its end, anything else its beginning."""
    whole = cells(text) <= width
    shown, dots = text, "\N{HORIZONTAL ELLIPSIS}" if sayable("\N{HORIZONTAL ELLIPSIS}") else "~"
    while not whole and cells(shown) >= width:
        shown = shown[1:] if text.startswith(PATHS) else shown[:-1]
    if not whole:
        shown = dots + shown if text.startswith(PATHS) else shown + dots
    return shown + " " * (width - cells(shown))


def cells(text: str) -> int:
    """Columns that a text takes on a terminal; it has no control characters."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)
