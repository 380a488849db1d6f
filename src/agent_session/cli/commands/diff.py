"""`agent-session diff`: what a session changed in its clones since its start."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonList, Name
from agent_session.cli.parameters import Argument, Option

if TYPE_CHECKING:
    from agent_session.sessions.difference import Difference
    from agent_session.sessions.session import Session

Stat = Annotated[bool, Option("--stat", help="A line a file, with how much of it changed.")]
Paths = Annotated[
    list[str] | None,
    Argument(metavar="[PROJECT] [PATH]...", help="The clone, where the session has several; files in it."),
]


def diff(
    invocation: Invocation,
    name: Name,
    paths: Paths = None,
    stat: Stat = False,
    as_json: JsonList = False,
) -> None:
    """Show what a session changed in its clones since its start: commits, staged, unstaged and new files.

    It is computed here, from objects that git has checked. Your changes that the session took along are not
    shown.
    """
    from agent_session.activity import shapes
    from agent_session.sessions import difference, find, which

    shown = []
    with invocation.engine(one_question=True) as engine, contextlib.ExitStack() as pager:
        session = find.get(engine, name)
        project, rest = _project(session, paths or [])
        for clone in which.clones_meant(session, project):
            with difference.compute(engine, session, clone, invocation.environment) as found:
                if as_json:
                    changed = difference.changes(found, rest) if found else []
                    shown.append(shapes.difference(clone, changed))
                elif found:
                    shown.append({})
                    out = pager.enter_context(_pager(invocation.environment))
                    _print(found, out, stat=stat, paths=rest)
    if as_json:
        output.print_json(shown)
    elif not shown:
        note(f"session '{name}' changed nothing")


def _project(session: "Session", words: list[str]) -> tuple[str | None, list[str]]:
    """The first word is a project where the session has several clones, and one is called so."""
    known = {name for one in session.clones for name in (one.target.name, one.source)}
    if words and words[0] in known and len(session.clones) > 1:
        return words[0], words[1:]
    return None, words


def _print(found: "Difference", out: IO[bytes], *, stat: bool, paths: list[str]) -> None:
    """Write the difference, without anything that a terminal would obey but colours."""
    colour = output.wants_colour(sys.stdout)
    words = [f"--color={'always' if colour else 'never'}"]
    words += [f"--stat={shutil.get_terminal_size().columns}"] if stat else []
    clean = sanitize.coloured if colour else sanitize.lines
    with tempfile.TemporaryFile() as whole:
        found.write(whole, *words, paths=paths)
        whole.seek(0)
        with contextlib.suppress(BrokenPipeError):
            for line in whole:
                out.write(clean(line.decode("utf-8", "replace")).encode())
            out.flush()


@contextmanager
def _pager(environment: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """Standard output, or on a terminal the user's pager as git chooses it."""
    chosen = environment.get("GIT_PAGER") or environment.get("PAGER") or "less"
    if not sys.stdout.isatty() or chosen in {"", "cat"} or not shutil.which(chosen.split()[0]):
        yield sys.stdout.buffer
        return
    more = {"LESS": environment.get("LESS", "FRX"), "LV": environment.get("LV", "-c")}
    with subprocess.Popen(["sh", "-c", chosen], stdin=subprocess.PIPE, env={**os.environ, **more}) as process:
        assert process.stdin is not None
        try:
            yield process.stdin
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
