"""`agent-session cp`: copy files and directories into a session and out of it."""

import errno
import os
import posixpath
import re
import sys
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import stdout
from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Argument, Option
from agent_session.errors import EngineRefused, Hint, UsageError

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.copy import Place

NOTED = 20
SESSION = re.compile(r"([^/:]+):(.*)", re.DOTALL)
"""NAME:PATH. A host path with a colon has a / before it: ./a:b"""

Source = Annotated[str, Argument(metavar="SRC", help="A path, NAME:PATH, or - for a tar on standard input.")]
Target = Annotated[str, Argument(metavar="DST", help="A path, NAME:PATH, or - for a tar on standard output.")]


Recursive = Annotated[bool, Option("-r", "-R", "--recursive", hidden=True)]
Archive = Annotated[bool, Option("-a", "--archive", hidden=True)]
"""Both are typed by habit, from cp; directories are copied whole, with modes and times, anyway."""


def cp(
    invocation: Invocation,
    source: Source,
    target: Target,
    _recursive: Recursive = False,
    _archive: Archive = False,
) -> None:
    """Copy files and directories between this machine and a session, running or stopped.

    One of SRC and DST is NAME:PATH; its PATH is relative to where the agent starts. A path of this machine
    with a colon: ./a:b. As cp -R: into DST where it is a directory; SRC/. is a directory's content. Links
    that lead out of what is copied are left out, with a note, on the way out of a session.
    """
    from agent_session.sessions import copy, find

    outwards, inwards = SESSION.fullmatch(source), SESSION.fullmatch(target)
    typed = outwards or inwards
    if outwards and inwards:
        raise _between(source, outwards[2], target)
    if typed is None:
        raise UsageError(
            "one of SRC and DST is NAME:PATH, the other a path of this machine",
            hint=Hint("cp", ["NAME:notes.md", "."]),
        )
    if target == "-" and sys.stdout.isatty():
        raise UsageError(
            "a tar archive is not written to a terminal", hint=Hint("cp", [source, "-"], shell="| tar -t")
        )
    with invocation.engine(one_question=True) as engine:
        session, others = find.with_others(engine, typed[1])
        place, fenced = copy.Place(session=session, typed=typed[2]), find.written_by_agents(others)
        left_out: list[str] = []
        if target == "-":
            _stream_out(engine, place)
        elif source == "-":
            copy.stream_into(engine, sys.stdin.buffer, place)
        elif outwards:
            left_out = copy.out(engine, place, target, fenced)
        else:
            left_out = copy.into(engine, source, place, fenced)
    for line in left_out[:NOTED]:
        note(f"left out: {sanitize.shown(line)}")
    if len(left_out) > NOTED:
        note(f"left out: {len(left_out) - NOTED} more")


def _stream_out(engine: "Engine", place: "Place") -> None:
    """Copy to standard output; where that cannot be written, the error is the same as everywhere."""
    from agent_session.sessions import copy

    try:
        copy.stream_out(engine, place, sys.stdout.buffer)
    except EngineRefused as error:
        if "write /dev/stdout" not in error.message:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), stdout.NAME) from None


def _between(source: str, path: str, target: str) -> UsageError:
    """The error of a copy from session to session, with the two commands that do it."""
    name = posixpath.basename(path.rstrip("/"))
    held = f"/tmp/{name}" if name not in {"", ".", "..", "~"} else "/tmp/copied"
    content = held if held.endswith(f"/{name}") else f"{held}/."
    return UsageError(
        "a copy from session to session goes by way of this machine, in two steps",
        hint=Hint("cp", [source, held], then=Hint("cp", [content, target])),
    )
