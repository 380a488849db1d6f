"""A session's terminal, read and typed into, attached or not; and commands beside the agent.

What comes out of a container is untrusted: of its escape sequences only colours are let through, or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_session import inside, sanitize
from agent_session.activity import keys
from agent_session.activity.errors import ImageTooOld
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint, NotReady
from agent_session.sessions import find
from agent_session.sessions.errors import SessionStopped
from agent_session.sessions.session import Session

EXEC = "AGENT_SESSION_EXEC"
"""Carries a token that tells the processes of one command from others."""


@dataclass(frozen=True, kw_only=True)
class Typing:
    """What to type: keys (names as keys.py has them) first, then the text, then Enter."""

    text: str = ""
    keys: tuple[str, ...] = ()
    enter: bool = False


def running(engine: Engine, name: str) -> Session:
    """The session of that name, which runs. SessionNotFound, SessionStopped."""
    session = find.get(engine, name)
    if not session.running:
        raise SessionStopped(name)
    return session


def command(
    engine: Engine, session: Session, words: Sequence[str], environment: Mapping[str, str], *, terminal: bool
) -> list[str]:
    """The argv for os.execvp that runs a command in a session as its agent would, on these streams."""
    return engine.attach_command(
        session.container, [inside.SESSION_EXEC, *words], environment, terminal=terminal
    )


def end_command(engine: Engine, session: Session, token: str) -> None:
    """End a command, and its children, that `command` started with this token in the variable EXEC."""
    engine.exec(session.container, [inside.SESSION_EXEC, "--end", token], timeout=20)


def send(engine: Engine, session: Session, typing: Typing) -> None:
    """Type into a running session's first terminal.

    Raises UsageError before anything is typed; ConflictError where that pane is closed.
    """
    pressed = [keys.spelled(name) for name in typing.keys]
    text = sanitize.typed(typing.text)
    done = engine.exec(
        session.container,
        [inside.TYPE_TEXT, *(["--enter"] if typing.enter else []), *pressed],
        stdin=text,
        timeout=120,
    )
    if done.exit_code:
        raise ConflictError(
            f"nothing can be typed into session '{session.name}': {sanitize.lines(done.message)}",
            hint=Hint("screen", [session.name]),
        )


def shown(engine: Engine, session: Session, *, scrollback: bool = False) -> str:
    """Read the rows of a running session's first terminal, with colours as the only escape sequences.

    With `scrollback` also the rows above.
    """
    words = [inside.SHOW_SCREEN, *(["--full"] if scrollback else [])]
    done = engine.exec(session.container, words, timeout=60)
    if done.exit_code == 127 and inside.SHOW_SCREEN in done.message:
        raise ImageTooOld(session.name)
    if done.exit_code:
        raise NotReady(
            session.name,
            "its terminal does not answer",
            [sanitize.lines(done.message)],
        )
    rows = sanitize.coloured(done.stdout.decode("utf-8", "replace")).split("\n")
    while rows and not sanitize.lines(rows[-1]).strip():
        rows.pop()
    return "\n".join(rows)
