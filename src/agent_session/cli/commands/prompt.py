"""`agent-session prompt`: give a session's agent a turn, and with --wait print its answer."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import of
from agent_session.cli.options import NameOrDefault
from agent_session.cli.stdin_text import message
from agent_session.errors import Hint

if TYPE_CHECKING:
    from agent_session.activity.protocol import Ended, Used
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session

Text = Annotated[
    str | None,
    typer.Argument(
        metavar="TEXT|-",
        help="The prompt, up to 1 MB; -, or nothing where something is piped in, reads it from standard input.",
        show_default=False,
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end of the turn, and print the answer.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        help="Exit 124 when it is not done by then; the turn goes on. [default: none with --wait, 60 without]",
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="An object on stdout: text, tools, usage, duration_s, state.")
]


def prompt(
    context: typer.Context,
    name: NameOrDefault = None,
    text: Text = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: Json = False,
) -> None:
    """Give an agent a turn: any text, as if it had been typed. Refused (exit 5) while it does something else.

    With --wait the answer is printed when the turn is over. An agent that needs a human ends that with exit 5 and its question on
    stderr (see answer), one that failed with exit 10 and its words.
    """
    from agent_session.activity import conversation, terminal

    invocation = of(context)
    with invocation.engine(one_question=True) as engine:
        name, text = invocation.addressed(engine, name, text, verb="prompt")
        words = message(text, hint=Hint("prompt", [name, "fix the failing test"]))
        session = terminal.running(engine, name)
        if wait:
            tell(session, whole_turn(engine, session, words, timeout=timeout), as_json=as_json)
            return
        turn = conversation.prompt(engine, session, words, timeout=timeout or conversation.READY_SECONDS)
    if as_json:
        output.print_json({"turn": turn})


def whole_turn(engine: "Engine", session: "Session", text: str, *, timeout: float | None = None) -> "Ended":
    """The end of a turn, or its first question."""
    from agent_session.activity import conversation
    from agent_session.activity.protocol import Ended

    begun = time.monotonic()
    last = None
    for last in conversation.converse(engine, session, text, timeout=timeout):  # noqa: B007 (the last)
        pass
    assert isinstance(last, Ended)
    return last if last.duration is not None else last.lasting(time.monotonic() - begun)


def tell(session: "Session", ended: "Ended", *, as_json: bool = False) -> None:
    """Print an answer; what the turn ended with where that was no end: NeedsAnswer, AgentServerError."""
    if as_json:
        output.print_json(answer_json(ended))
    elif text := sanitize.lines(ended.text):
        print(text, end="" if text.endswith("\n") else "\n")
    check(session, ended)


def check(session: "Session", ended: "Ended") -> None:
    """NeedsAnswer for a turn that waits, AgentServerError for one that failed or whose agent has quit."""
    from agent_session.errors import AgentServerError, NeedsAnswer

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
            hint=Hint("attach", [session.name]),
        )


def answer_json(ended: "Ended") -> dict[str, Any]:
    """The object of `prompt --wait --json`; keys are only ever added."""
    from agent_session.activity import state as states

    return {
        "text": ended.text,
        "tools": [tool_json(tool) for tool in ended.tools],
        "usage": dict(ended.usage),
        "duration_s": None if ended.duration is None else round(ended.duration, 3),
        "state": states.as_json(ended.state, question=True),
    }


def tool_json(tool: "Used") -> dict[str, Any]:
    """A tool that was used."""
    return {"name": tool.name, "input": tool.input}
