"""`agent-session exec`: a command in a running session, beside the agent."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from agent_session.cli.context import of
from agent_session.cli.options import RunningName
from agent_session.errors import UsageError

Command = Annotated[
    list[str], typer.Argument(metavar="COMMAND", help="A program and its arguments, no shell line.")
]


def exec(context: typer.Context, name: RunningName, command: Command) -> NoReturn:
    """Run a command in a session: where the agent starts, with its environment, on this terminal or these streams.

    The exit status is the command's; 126 and 127 are one that cannot be run or is not there, 125 is podman's own failure.
    """
    from agent_session.activity import terminal as screens

    words = command[1:] if command[0] == "--" else command
    if not words:
        raise UsageError("no command given", hint=f"agent-session exec {name} -- ls -la")
    invocation = of(context)
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    with invocation.engine(one_question=True) as engine:
        session = screens.running(engine, name)
        shown = (
            {key: value for key in ("TERM", "COLORTERM") if (value := invocation.environment.get(key))}
            if terminal
            else {}
        )
        argv = screens.command(engine, session, words, shown, terminal=terminal)
    os.execvpe(argv[0], argv, dict(invocation.environment))
