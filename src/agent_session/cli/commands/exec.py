"""`agent-session exec`: a command in a running session, beside the agent."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

from agent_session.cli.context import Exit, Invocation
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.terminal import become

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session

SHELL = "bash"
READER_LEFT = 141
"""As a shell says it of a program that SIGPIPE has ended."""

Command = Annotated[
    list[str] | None,
    Argument(
        metavar="[COMMAND]...",
        help="A program and its arguments, not a shell command line. [default: a shell]",
    ),
]
Interactive = Annotated[bool, Option("-i", "--interactive", hidden=True)]
Tty = Annotated[bool, Option("-t", "--tty", hidden=True)]
"""Both are typed by habit, from docker and podman; streams and a terminal are passed on anyway."""


def exec(
    invocation: Invocation,
    name: NameOrDefault = None,
    command: Command = None,
    _interactive: Interactive = False,
    _tty: Tty = False,
) -> NoReturn:
    """Run a command in a session: where the agent starts, with its environment, on this terminal or these
    streams.

    The exit status is the command's; 126 and 127 are one that cannot be run or is not there, 125 is podman's
    own failure.
    """
    from agent_session.activity import terminal as screens

    words = command or []
    if invocation.unnamed and name is not None:  # exec -- COMMAND: the session of this directory
        words = [name, *words]
        name = None
    elif words[:1] == ["--"]:
        words = words[1:]
    words = words or [SHELL]
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    with invocation.engine(one_question=True) as engine:
        session = screens.running(engine, invocation.name(engine, name, verb="exec"))
        if not terminal:
            raise Exit(_beside(invocation, engine, session, words))
        shown = {key: value for key in ("TERM", "COLORTERM") if (value := invocation.environment.get(key))}
        argv = screens.command(engine, session, words, shown, terminal=True)
    become(argv, invocation.environment, clipboard=invocation.config.clipboard)


def _beside(invocation: Invocation, engine: "Engine", session: "Session", words: list[str]) -> int:
    """Run a command on these streams. It ends with us and with the reader of its output.

    Podman would leave it running.
    """
    from agent_session.activity import terminal as screens
    from agent_session.host import child_process
    from agent_session.host.signals import uninterrupted

    token = os.urandom(8).hex()
    argv = screens.command(engine, session, words, {screens.EXEC: token}, terminal=False)
    try:
        status = child_process.run_for_reader(argv, environment=invocation.environment)
    except BaseException:
        with uninterrupted():
            screens.end_command(engine, session, token)
        raise
    if status is None:
        with uninterrupted():
            screens.end_command(engine, session, token)
        return READER_LEFT
    return status
