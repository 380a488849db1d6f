"""The agent's own executables run in the session's container, and what they say is understood.

They speak JSON (docs/agents.md); no agent is known here by name. All raise OrderRefused (5) with what the
agent is doing, UsageError (2), AgentServerError (10), TimedOut (124), ImageTooOld (5) and SessionStopped (5).
"""

import contextlib
import math
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NoReturn

from agent_session import inside, sanitize
from agent_session.activity import protocol, watch
from agent_session.activity.errors import ImageTooOld, OrderRefused
from agent_session.activity.protocol import Malformed
from agent_session.activity.state import VALUES
from agent_session.engine.command import ExecResult
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentServerError, EngineRefused, Hint, TimedOut, UsageError
from agent_session.sessions import find
from agent_session.sessions.errors import SessionStopped
from agent_session.sessions.session import Session

LARGEST_ANSWER = 64_000_000
"""Bytes of all that one order may say."""
READY_SECONDS = 60.0
"""What an agent has to start in, and to take a prompt in."""
ORDER_SECONDS = 60.0
GRACE_SECONDS = 15.0
"""How much later than it should an executable may say that time is up."""
AGAIN_SECONDS = 0.1
"""Before an agent that started is asked again: it may refuse for a reason of its own."""


def when_ready(
    engine: Engine,
    session: Session,
    words: Sequence[str],
    text: bytes,
    *,
    timeout: float | None,
    follow: bool = False,
) -> Iterator[dict[str, Any]]:
    """What a prompt makes the agent say; one that starts is waited for."""
    begun = time.monotonic()
    ready = begun + (READY_SECONDS if timeout is None else timeout)
    while True:
        left = None if timeout is None else max(1, math.ceil(begun + timeout - time.monotonic()))
        bounded = ["--timeout", str(left)] if follow and left else []
        longest = None if follow and left is None else (left or READY_SECONDS) + GRACE_SECONDS
        said = _said(engine, session, [*words, *bounded], stdin=text, timeout=longest)
        try:
            first = next(said)
        except OrderRefused as refusal:
            if refusal.doing != "starting":
                raise
            _wait_until_started(engine, session, ready)
        else:
            yield first
            yield from said
            return


def _wait_until_started(engine: Engine, session: Session, end: float) -> None:
    started = [value for value in VALUES if value != "starting"]
    left = max(0, end - time.monotonic())
    with contextlib.suppress(TimedOut):
        for _ in watch.wait_for_states(engine, [session.name], started, seconds=left):
            time.sleep(AGAIN_SECONDS)
    if time.monotonic() >= end:
        hint = Hint("screen", [session.name])
        raise TimedOut(f"the agent of session '{session.name}' is still starting", hint=hint)


def object_of(
    engine: Engine, session: Session, words: Sequence[str], *, stdin: bytes = b""
) -> dict[str, Any]:
    """The one object that an order says."""
    found: dict[str, Any] | None = None
    for found in _said(engine, session, words, stdin=stdin, timeout=ORDER_SECONDS):  # noqa: B007 (the last)
        pass
    assert found is not None
    return found


def _said(
    engine: Engine, session: Session, words: Sequence[str], *, stdin: bytes, timeout: float | None
) -> Generator[dict[str, Any], None, None]:
    """The objects that an order says, at least one, as they come."""
    stream = _lines(
        engine.exec_stream(session.container, [inside.AGENT_COMMAND, *words], stdin=stdin, timeout=timeout)
    )
    silent = True
    try:
        while True:
            said = protocol.parsed(next(stream))
            silent = False
            if "error" in said:
                _refuse(session, said["error"])
            yield said
    except Malformed as error:
        raise nonsense(session, str(error)) from None
    except EngineRefused:
        _check_runs(engine, session)
        raise
    except StopIteration as end:
        done: ExecResult = end.value
        if done.exit_code or silent:
            _explain(engine, session, words[0], done)
    finally:
        stream.close()


def _lines(stream: Generator[bytes, None, ExecResult]) -> Generator[bytes, None, ExecResult]:
    """A stream in lines, empty ones left out, and no more of it than is good for anybody."""
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            piece = next(stream)
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise Malformed(f"more than {LARGEST_ANSWER} bytes")
            first, *others = piece.split(b"\n")
            pieces.append(first)
            for other in others:
                if line := b"".join(pieces).strip():
                    yield line
                pieces = [other]
    except StopIteration as end:
        if line := b"".join(pieces).strip():
            yield line
        done: ExecResult = end.value
        return done
    finally:
        stream.close()


def understood(session: Session, read: Any, said: Any) -> Any:
    """Read an object with a reader of protocol.py. Raises AgentServerError for one that is not right."""
    try:
        return read(said)
    except (Malformed, RecursionError) as error:
        raise nonsense(session, str(error)) from None


def nonsense(session: Session, what: str) -> AgentServerError:
    """The error for an agent whose words cannot be understood, and why."""
    return AgentServerError(
        f"the agent of session '{session.name}' printed something that cannot be understood: "
        f"{sanitize.message(what)}",
        hint=Hint("screen", [session.name]),
    )


def _refuse(session: Session, error: Any) -> NoReturn:
    """The error that an executable told, in our words."""
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise Malformed("the error has no message")
    message = f"session '{session.name}': {sanitize.message(error['message'])}"
    match error.get("kind"):
        case "refused":
            told = error.get("state")
            doing = told.get("value") if isinstance(told, dict) else ""
            raise OrderRefused(session.name, message, doing=doing if doing in VALUES else "")
        case "usage":
            raise UsageError(message, hint=Hint("prompt", ["--help"]))
        case "server":
            raise AgentServerError(message, hint=Hint("screen", [session.name]))
        case "timeout":
            raise TimedOut(message, hint=Hint("wait", [session.name]))
        case _:
            raise Malformed("the error is of no known kind")


def _explain(engine: Engine, session: Session, verb: str, done: ExecResult) -> NoReturn:
    """An order that ended without a word of its own."""
    if done.exit_code == 127 and inside.AGENT_COMMAND in done.message:
        raise ImageTooOld(session.name)
    if done.exit_code == 124:
        raise TimedOut(
            f"the agent of session '{session.name}' did not end its `{verb}` in time",
            hint=Hint("screen", [session.name]),
        )
    _check_runs(engine, session)
    message = sanitize.message(done.message[-sanitize.LONGEST_LINE :])
    words = message if done.stderr.strip() else "it printed nothing"
    raise AgentServerError(
        f"the agent's `{verb}` in session '{session.name}' ended with status {done.exit_code}: {words}",
        hint=Hint("screen", [session.name]),
    )


def _check_runs(engine: Engine, session: Session) -> None:
    """SessionStopped, SessionNotFound: it was there when the order began."""
    if not find.get(engine, session.name).running:
        raise SessionStopped(session.name)
