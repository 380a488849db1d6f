"""Puts a session on this terminal: what start, restart and attach end with."""

import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from agent_session.cli import hints
from agent_session.cli.context import Invocation, note, quiet
from agent_session.config import Config
from agent_session.engine.protocol import Engine
from agent_session.workspace import protect_mode

if TYPE_CHECKING:
    from agent_session.sessions.session import Session

PATIENCE_SECONDS = 2


def arrive(
    invocation: Invocation, engine: Engine, session: "Session", *, config: Config, detached: bool
) -> None:
    """End a start: attach, or print the session's name.

    Unless `detach` was asked for, say why nothing is attached.
    """
    if not detached:
        enter(invocation, engine, session, config)
    _tell_of_ssh_agent(invocation, engine, session)
    print(session.name)
    if not config.detach:
        note(f"there is no terminal to attach to; the session runs: agent-session attach {session.name}")


@contextmanager
def patience(awaited: str) -> Iterator[None]:
    """While the block takes longer than a moment, tell the person what it waits for, and how long."""
    if quiet() or not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    begun = time.monotonic()

    def tell() -> None:
        while not over.wait(1 if time.monotonic() - begun > PATIENCE_SECONDS else PATIENCE_SECONDS):
            print(
                f"\r\x1b[Kwaiting for {awaited} ({time.monotonic() - begun:.0f} s)...",
                end="",
                file=sys.stderr,
                flush=True,
            )
        if time.monotonic() - begun > PATIENCE_SECONDS:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield
    finally:
        over.set()
        telling.join()


def become(command: Sequence[str], environment: Mapping[str, str], *, clipboard: bool) -> NoReturn:
    """Become a process that runs the command on this terminal, and lets through what draws.

    With `clipboard` also what sets the clipboard or the title.
    """
    from agent_session.host import terminal_filter

    words = [sys.executable, "-IS", terminal_filter.__file__, *(["--clipboard"] if clipboard else [])]
    os.execvpe(words[0], [*words, *command], dict(environment))


THEN_REVIEW = 'name=$1; shift; "$@"; status=$?; "$0" review --brief "$name"; exit $status'
"""For a shell: a command with this terminal, and the line about what differs when it has ended."""


def _followed_by_review(command: list[str], session: "Session", program: str) -> list[str]:
    """The command that attaches, and tells afterwards what differs in the session's projects."""
    if quiet() or session.options.protect == protect_mode.OFF:
        return command
    return ["sh", "-c", THEN_REVIEW, program, session.name, *command]


def enter(invocation: Invocation, engine: Engine, session: "Session", config: Config) -> NoReturn:
    """Become the terminal's client of a session: this process is replaced.

    So resize, Ctrl-C and exit status are Podman's.
    """
    from agent_session.host import detach_key
    from agent_session.sessions import attach as terminals
    from agent_session.sessions import find

    _tell_of_ssh_agent(invocation, engine, session)
    token = terminals.new_token()
    key, said = detach_key.choose(config.detach_key, invocation.environment)
    if said:
        note(said)
    shown = {name: value for name in ("TERM", "COLORTERM") if (value := invocation.environment.get(name))}
    told = {
        "AGENT_SESSION_DETACH_KEY": key,
        "AGENT_SESSION_PROGRAM": shlex.quote(hints.program(invocation.environment)),
        **({"AGENT_SESSION_QUIET": "1"} if quiet() else {}),
    }
    command = find.attach_command(engine, session, {**shown, **told, terminals.VARIABLE: token})
    engine.close()
    command = _followed_by_review(command, session, hints.program(invocation.environment))
    environment = {**invocation.environment, terminals.VARIABLE: token}
    become(command, environment, clipboard=config.clipboard)


def _tell_of_ssh_agent(invocation: Invocation, engine: Engine, session: "Session") -> None:
    if session.options.ssh_agent:
        from agent_session.sessions import lent_agent

        if line := lent_agent.note(engine, session, invocation.environment):
            note(line)
