"""`agent-session answer`: answer what a session's agent waits for."""

from typing import Annotated

import typer

from agent_session.cli.context import of
from agent_session.cli.options import NameOrDefault
from agent_session.cli.stdin_text import message
from agent_session.errors import Hint

Reply = Annotated[
    str | None,
    typer.Argument(
        metavar="once|always|reject|TEXT",
        help="To a permission: once, always or reject; to a question: one of its options, or a text of yours; - reads standard input.",
        show_default=False,
    ),
]


def answer(context: typer.Context, name: NameOrDefault = None, reply: Reply = None) -> None:
    """Answer what an agent waits for: a permission, a question. Exit 5 where it waits for nothing."""
    from agent_session.activity import conversation, terminal

    invocation = of(context)
    with invocation.engine(one_question=True) as engine:
        name, reply = invocation.addressed(engine, name, reply, verb="answer")
        words = message(reply, hint=Hint("answer", [name, "once"]))
        conversation.answer(engine, terminal.running(engine, name), words)
