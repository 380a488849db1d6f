"""Puts a session on this terminal: what start, restart and attach end with."""

import os
from typing import TYPE_CHECKING, NoReturn

from agent_session.cli.context import Invocation, note
from agent_session.engine.protocol import Engine

if TYPE_CHECKING:
    from agent_session.sessions.session import Session


def arrive(
    invocation: Invocation, engine: Engine, session: "Session", *, detached: bool, silent: bool
) -> None:
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
    from agent_session.sessions import attach as terminals
    from agent_session.sessions import find

    token = terminals.new_token()
    shown = {name: value for name in ("TERM", "COLORTERM") if (value := invocation.environment.get(name))}
    command = find.attach_command(engine, session, {**shown, terminals.VARIABLE: token})
    engine.close()
    os.execvpe(command[0], command, {**invocation.environment, terminals.VARIABLE: token})
