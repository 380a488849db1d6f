"""`agent-session exec`: a command in a running session, beside the agent."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from agent_session.cli.context import of, of_unnamed
from agent_session.cli.options import NameOrDefault
from agent_session.errors import Hint, UsageError

Command = Annotated[
    list[str] | None, typer.Argument(metavar="COMMAND...", help="A program and its arguments, no shell line.")
]


def exec(context: typer.Context, name: NameOrDefault = None, command: Command = None) -> NoReturn:
    """Run a command in a session: where the agent starts, with its environment, on this terminal or these streams.

    The exit status is the command's; 126 and 127 are one that cannot be run or is not there, 125 is podman's own failure.
    """
    from agent_session.activity import terminal as screens

    words = command or []
    if of_unnamed(context) and name is not None:  # exec -- COMMAND: the session of this directory
        words = [name, *words]
        name = None
    elif words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise UsageError(
            "no command given", hint=Hint("exec", [*([name] if name else []), "--", "ls", "-la"])
        )
    invocation = of(context)
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    with invocation.engine(one_question=True) as engine:
        session = screens.running(engine, invocation.name(engine, name, verb="exec"))
        shown = (
            {key: value for key in ("TERM", "COLORTERM") if (value := invocation.environment.get(key))}
            if terminal
            else {}
        )
        argv = screens.command(engine, session, words, shown, terminal=terminal)
    os.execvpe(argv[0], argv, dict(invocation.environment))
