"""`agent-session attach`: put a running session on this terminal. `enter` does it for start and restart too."""

import os
from typing import TYPE_CHECKING, NoReturn

import typer

from agent_session.cli.arguments import NameOrDefault
from agent_session.cli.invocation import Invocation, note, of, on_terminal
from agent_session.config import DEFAULT_SESSION
from agent_session.engine import Engine
from agent_session.errors import SessionStopped, UsageError

if TYPE_CHECKING:
    from agent_session.session import Session


def attach(context: typer.Context, name: NameOrDefault = None) -> None:
    """Attach to a running session; Ctrl q, or closing the window, detaches. Never makes or starts one."""
    from agent_session import sessions

    invocation = of(context)
    if not on_terminal():
        raise UsageError("attach needs a terminal", hint="agent-session start --detach")
    with invocation.engine(one_question=True) as engine:
        session = sessions.get(engine, name or invocation.config.name or DEFAULT_SESSION)
        if not session.running:
            raise SessionStopped(session.name)
        enter(invocation, engine, session)


def arrive(invocation: Invocation, engine: Engine, session: "Session", *, detached: bool, silent: bool) -> None:
    """The end of a start: attach, or print the session's name; unless `silent`, say why nothing is attached."""
    tell_notes(session)
    if not detached:
        enter(invocation, engine, session)
    print(session.name)
    if not silent:
        note(f"no terminal here to attach; the session runs: agent-session attach {session.name}")


def tell_notes(session: "Session") -> None:
    """What the session's start had to say."""
    for line in session.notes:
        note(line)


def enter(invocation: Invocation, engine: Engine, session: "Session") -> NoReturn:
    """Become the terminal's client of a session: this process is replaced, so resize, Ctrl-C and exit status are Podman's."""
    from agent_session import sessions, terminals

    token = terminals.new_token()
    shown = {name: value for name in ("TERM", "COLORTERM") if (value := invocation.environment.get(name))}
    command = sessions.attach_command(engine, session, {**shown, terminals.VARIABLE: token})
    engine.close()
    os.execvpe(command[0], command, {**invocation.environment, terminals.VARIABLE: token})
