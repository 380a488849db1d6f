"""Talk to a session's agent: prompt it, answer it, end its turn, read its models and conversation.

Each runs one of the agent's own executables and raises as agent_command.py says.
"""

import time
from collections.abc import Iterator

from agent_session import sanitize
from agent_session.activity import agent_command, answers, protocol
from agent_session.activity import state as states
from agent_session.activity.answers import Reply
from agent_session.activity.errors import NeedsAnswer, OrderRefused
from agent_session.activity.protocol import Ended, Entry, Event, Model, Taken
from agent_session.activity.state import Question
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentServerError, Hint, UsageError
from agent_session.sessions.session import Session


def prompt(
    engine: Engine,
    session: Session,
    text: str,
    *,
    model: str = "",
    timeout: float = agent_command.READY_SECONDS,
) -> str:
    """Give the agent a turn, and return the turn's name when the agent has it.

    An agent that starts is waited for, so many seconds at most. UsageError for a model that it cannot take.
    """
    words = ["prompt", *_with_model(model)]
    for said in agent_command.when_ready(engine, session, words, _checked(text), timeout=timeout):
        taken: Taken = agent_command.understood(session, protocol.event, {**said, "type": "turn"})
        return taken.turn
    raise AssertionError


def converse(
    engine: Engine,
    session: Session,
    text: str,
    *,
    through_questions: bool = False,
    model: str = "",
    timeout: float | None = None,
) -> Iterator[Event]:
    """Give the agent a turn and follow it: first Taken, last Ended, at its end or its first question.

    With `through_questions` it goes on when those have been answered. TimedOut after so many seconds, while
    the turn goes on.
    """
    words = [
        "prompt",
        *_with_model(model),
        "--follow",
        *(["--through-questions"] if through_questions else []),
    ]
    last: Event | None = None
    for said in agent_command.when_ready(
        engine, session, words, _checked(text), timeout=timeout, follow=True
    ):
        found = agent_command.understood(session, protocol.event, said)
        if found is not None and not isinstance(last, Ended):
            last = found
            yield found
    if not isinstance(last, Ended):
        raise agent_command.nonsense(session, "the turn has no end")


def whole_turn(
    engine: Engine, session: Session, text: str, *, model: str = "", timeout: float | None = None
) -> Ended:
    """Give the agent a turn and wait for its end, or for its first question."""
    begun = time.monotonic()
    last = None
    for last in converse(engine, session, text, model=model, timeout=timeout):  # noqa: B007 (the last)
        pass
    assert isinstance(last, Ended)
    return last if last.duration is not None else last.lasting(time.monotonic() - begun)


def _with_model(model: str) -> list[str]:
    return ["--model", model] if model else []


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
    agent_command.object_of(engine, session, ["answer", *which], stdin=_checked(reply.text))
    return reply


def _question(engine: Engine, session: Session) -> Question:
    """The agent's present question.

    The state in its container may be a moment late, so the agent itself has the last word.
    """
    state = states.read(engine, [session])[session.name]
    if state.question is None:
        said = agent_command.object_of(engine, session, ["state"])
        state = agent_command.understood(session, protocol.state, said)
    if state.question is None:
        why = f" ({sanitize.message(state.reason)})" if state.reason else ""
        message = f"session '{session.name}': the agent asks nothing: it is {state.value}{why}"
        raise OrderRefused(session.name, message, doing=state.value)
    return state.question


def abort(engine: Engine, session: Session, *, clear: bool = False) -> None:
    """End the agent's turn; returns when it is over. With `clear` nothing is left in its input."""
    agent_command.object_of(engine, session, ["abort", *(["--clear"] if clear else [])])


def models(engine: Engine, session: Session) -> list[Model]:
    """What the agent can use, asked now."""
    found: list[Model] = agent_command.understood(
        session, protocol.models, agent_command.object_of(engine, session, ["models"])
    )
    return found


def history(engine: Engine, session: Session, *, limit: int) -> list[Entry]:
    """The last entries of the conversation that the agent shows, the oldest first."""
    said = agent_command.object_of(engine, session, ["history", "--limit", str(limit)])
    found: list[Entry] = agent_command.understood(session, protocol.entries, said)
    return found[-limit:]


SAY_SOMETHING = Hint("prompt", ["NAME", "fix the failing test"])


def check_said(text: str, *, hint: Hint = SAY_SOMETHING) -> None:
    """UsageError, with that hint, where there is nothing in a text."""
    if not text.strip():
        raise UsageError("there is not a text", hint=hint)


def _checked(text: str) -> bytes:
    check_said(text)
    return sanitize.typed(text)
