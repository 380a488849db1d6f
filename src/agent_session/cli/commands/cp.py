"""`agent-session cp`: copy files and directories into a session and out of it."""

import re
import sys
from typing import Annotated

import typer

from agent_session import sanitize
from agent_session.cli.context import note, of
from agent_session.errors import Hint, UsageError

NOTED = 20
SESSION = re.compile(r"([^/:]+):(.*)", re.DOTALL)
"""NAME:PATH. A host path with a colon has a / before it: ./a:b"""

Source = Annotated[
    str, typer.Argument(metavar="SRC", help="A path, NAME:PATH, or - for a tar on standard input.")
]
Target = Annotated[
    str, typer.Argument(metavar="DST", help="A path, NAME:PATH, or - for a tar on standard output.")
]


def cp(context: typer.Context, source: Source, target: Target) -> None:
    """Copy files and directories between this machine and a session, running or stopped.

    One of SRC and DST is NAME:PATH; its PATH is relative to where the agent starts. A path of this machine with a colon: ./a:b.
    As cp -R: into DST where it is a directory; SRC/. is a directory's content. Links that lead out of what is copied are
    left out, with a note, on the way out of a session.
    """
    from agent_session.sessions import copy, find

    outwards, inwards = SESSION.fullmatch(source), SESSION.fullmatch(target)
    typed = outwards or inwards
    if typed is None or (outwards and inwards):
        raise UsageError(
            "one of SRC and DST is NAME:PATH, the other a path of this machine",
            hint=Hint("cp", ["NAME:notes.md", "."]),
        )
    if target == "-" and sys.stdout.isatty():
        raise UsageError("a tar is nothing for a terminal", hint=Hint("cp", [source, "-"], shell="| tar -t"))
    with of(context).engine(one_question=True) as engine:
        place = copy.Place(session=find.get(engine, typed[1]), typed=typed[2])
        left_out: list[str] = []
        if target == "-":
            copy.stream_out(engine, place, sys.stdout.buffer)
        elif source == "-":
            copy.stream_into(engine, sys.stdin.buffer, place)
        elif outwards:
            left_out = copy.out(engine, place, target)
        else:
            left_out = copy.into(engine, source, place)
    for line in left_out[:NOTED]:
        note(f"left out: {sanitize.shown(line)}")
    if len(left_out) > NOTED:
        note(f"left out: {len(left_out) - NOTED} more")
