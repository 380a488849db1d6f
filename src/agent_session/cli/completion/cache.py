"""The command line as data, kept from one completion to the next.

To make it of the program takes most of an answer's time.

It is a file of the user's cache, which says what it was made of; where it cannot be read or written, or the
program has changed since, it is made again.
"""

import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent_session import __version__
from agent_session.cli.schema import Argument, Grammar, Option, Verb

FILE = "words.json"


def known(folder: Path) -> Grammar:
    """The command line, kept in that folder."""
    made_of = _made_of()
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads((folder / FILE).read_bytes())
        if kept["made_of"] == made_of:
            return _read(kept["grammar"])
    found = _of_the_program()
    from agent_session.host import atomic  # what a completion seldom needs

    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        atomic.replace(
            folder / FILE, json.dumps({"made_of": made_of, "grammar": asdict(found)}).encode(), mode=0o644
        )
    return found


def _of_the_program() -> Grammar:
    import typer

    from agent_session.cli import schema
    from agent_session.cli.app import app

    read = schema.read(typer.main.get_command(app))
    return Grammar(help=read.help, epilog=read.epilog, options=read.options, verbs=dict(read.verbs))


def _made_of() -> list[Any]:
    """The state of the program that it was made of: its verbs' files, and the Python with its packages."""
    cli = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 (pathlib takes 3 ms)
    files = []
    for folder in (cli, f"{cli}/commands"):
        with os.scandir(folder) as entries:
            files += [
                [entry.name, (status := entry.stat()).st_mtime_ns, status.st_size]
                for entry in entries
                if entry.name.endswith(".py")
            ]
    return [__version__, sys.version, sys.prefix, cli, sorted(files)]


def _read(kept: dict[str, Any]) -> Grammar:
    verbs = {
        name: Verb(
            **verb
            | {
                "options": _options(verb["options"]),
                "arguments": tuple(Argument(**a) for a in verb["arguments"]),
                "examples": tuple((command, meaning) for command, meaning in verb["examples"]),
            }
        )
        for name, verb in kept["verbs"].items()
    }
    return Grammar(**kept | {"options": _options(kept["options"]), "verbs": verbs})


def _options(kept: list[dict[str, Any]]) -> tuple[Option, ...]:
    return tuple(Option(**option | {"names": tuple(option["names"])}) for option in kept)
