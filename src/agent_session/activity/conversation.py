"""Talk to a session's agent: prompt it, answer it, end its turn, read its models and conversation.

Each runs one of the agent's own executables in the session's container (docs/agents.md), and knows no agent
by name. All raise OrderRefused (5) with what the agent is doing, UsageError (2), AgentServerError (10),
TimedOut (124), ImageTooOld (5) and SessionStopped (5).
"""

import contextlib
import math
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NoReturn

from agent_session import inside, sanitize
from agent_session.activity import answers, protocol, watch
from agent_session.activity import state as states
from agent_session.activity.answers import Reply
from agent_session.activity.errors import ImageTooOld, NeedsAnswer, OrderRefused
from agent_session.activity.protocol import Ended, Entry, Event, Malformed, Model, Taken
from agent_session.activity.state import VALUES, Question
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


def prompt(engine: Engine, session: Session, text: str, *, timeout: float = READY_SECONDS) -> str:
    """Give the agent a turn, and return the turn's name when the agent has it.

    An agent that starts is waited for, so many seconds at most.
    """
    for said in _when_ready(engine, session, ["prompt"], _checked(text), timeout=timeout):
        taken: Taken = _understood(session, protocol.event, {**said, "type": "turn"})
        return taken.turn
    raise AssertionError


def converse(
    engine: Engine,
    session: Session,
    text: str,
    *,
    through_questions: bool = False,
    timeout: float | None = None,
) -> Iterator[Event]:
    """Give the agent a turn and follow it: first Taken, last Ended, at its end or its first question.

    With `through_questions` it goes on when those have been answered. TimedOut after so many seconds, while
    the turn goes on.
    """
    words = ["prompt", "--follow", *(["--through-questions"] if through_questions else [])]
    last: Event | None = None
    for said in _when_ready(engine, session, words, _checked(text), timeout=timeout, follow=True):
        found = _understood(session, protocol.event, said)
        if found is not None and not isinstance(last, Ended):
            last = found
            yield found
    if not isinstance(last, Ended):
        raise _nonsense(session, "the turn has no end")


def whole_turn(engine: Engine, session: Session, text: str, *, timeout: float | None = None) -> Ended:
    """Give the agent a turn and wait for its end, or for its first question."""
    begun = time.monotonic()
    last = None
    for last in converse(engine, session, text, timeout=timeout):  # noqa: B007 (the last)
        pass
    assert isinstance(last, Ended)
    return last if last.duration is not None else last.lasting(time.monotonic() - begun)


def check(session: Session, ended: Ended) -> None:
    """NeedsAnswer for a turn that waits, AgentServerError for one that failed or whose agent has quit."""
    state = ended.state
    reason = sanitize.message(state.reason)
    if state.value == "waiting":
        question = state.question
        choice = sanitize.message(question.choices[0]) if question and question.choices else "TEXT"
        raise NeedsAnswer(session.name, sanitize.message(question.text if question else "") or reason, choice)
    if state.value == "failed":
        raise AgentServerError(
            f"the turn of session '{session.name}' failed: {reason}",
            hint=Hint("screen", [session.name]),
        )
    if state.value == "exited":
        raise AgentServerError(
            f"the agent of session '{session.name}' has quit: {reason}",
            hint=Hint("restart", [session.name]),
        )


def answer(engine: Engine, session: Session, words: str, *, instead: str = "") -> Reply:
    """Answer the agent's question with words as people type them (answers.py).

    Returns when that question is gone.

    `instead` goes with a rejection: what the agent shall do. UsageError, and nothing is sent, for words that
    answer nothing.
    """
    _checked(words)
    question = _question(engine, session)
    reply = answers.reply(session.name, question, words, instead=instead)
    which = ["--question", question.id] if question.id else []
    _only(engine, session, ["answer", *which], stdin=_checked(reply.text))
    return reply


def _question(engine: Engine, session: Session) -> Question:
    """The agent's present question.

    The state in its container may be a moment late, so the agent itself has the last word.
    """
    state = states.read(engine, [session])[session.name]
    if state.question is None:
        said = _only(engine, session, ["state"])
        state = _understood(session, protocol.state, said)
    if state.question is None:
        why = f" ({sanitize.message(state.reason)})" if state.reason else ""
        message = f"session '{session.name}': nothing is asked: the agent is {state.value}{why}"
        raise OrderRefused(session.name, message, doing=state.value)
    return state.question


def abort(engine: Engine, session: Session) -> None:
    """End the agent's turn; returns when it is over."""
    _only(engine, session, ["abort"])


def models(engine: Engine, session: Session) -> list[Model]:
    """What the agent can use, asked now."""
    found: list[Model] = _understood(session, protocol.models, _only(engine, session, ["models"]))
    return found


def history(engine: Engine, session: Session, *, limit: int) -> list[Entry]:
    """The last entries of the conversation that the agent shows, the oldest first."""
    said = _only(engine, session, ["history", "--limit", str(limit)])
    found: list[Entry] = _understood(session, protocol.entries, said)
    return found[-limit:]


SAY_SOMETHING = Hint("prompt", ["NAME", "fix the failing test"])


def check_said(text: str, *, hint: Hint = SAY_SOMETHING) -> None:
    """UsageError, with that hint, where there is nothing in a text."""
    if not text.strip():
        raise UsageError("there is no text", hint=hint)


def _checked(text: str) -> bytes:
    check_said(text)
    return sanitize.typed(text)


def _when_ready(
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


def _only(engine: Engine, session: Session, words: Sequence[str], *, stdin: bytes = b"") -> dict[str, Any]:
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
        raise _nonsense(session, str(error)) from None
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


def _understood(session: Session, read: Any, said: Any) -> Any:
    try:
        return read(said)
    except (Malformed, RecursionError) as error:
        raise _nonsense(session, str(error)) from None


def _nonsense(session: Session, what: str) -> AgentServerError:
    return AgentServerError(
        f"the agent of session '{session.name}' says something that cannot be understood: "
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
            doing = protocol.state(error["state"]).value if error.get("state") else ""
            raise OrderRefused(session.name, message, doing=doing)
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
    words = message if done.stderr.strip() else "it said nothing"
    raise AgentServerError(
        f"the agent's `{verb}` in session '{session.name}' ended with status {done.exit_code}: {words}",
        hint=Hint("screen", [session.name]),
    )


def _check_runs(engine: Engine, session: Session) -> None:
    """SessionStopped, SessionNotFound: it was there when the order began."""
    if not find.get(engine, session.name).running:
        raise SessionStopped(session.name)
