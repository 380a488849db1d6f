"""`agent-session answer`: answer what a session's agent waits for."""

from typing import Annotated

from agent_session.cli.context import Invocation
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.stdin_text import message
from agent_session.errors import Hint

Reply = Annotated[
    str | None,
    Argument(metavar="once|always|reject|TEXT", help="The answer, as above; - reads it from standard input."),
]
Instead = Annotated[
    str | None,
    Option("-m", "--message", metavar="MESSAGE", help="With reject: what the agent should do instead."),
]


def answer(
    invocation: Invocation, name: NameOrDefault = None, reply: Reply = None, instead: Instead = None
) -> None:
    """Answer what an agent waits for, and print what was done. Exit 5 where it waits for nothing.

    To a permission, in any case: once, y, yes or 1 approve this one; always approves this and all like it;
    reject, n or no refuse it, with -m MESSAGE telling the agent what to do instead. Any other word is refused
    (exit 2), and nothing is sent.

    To a question: one of its options, the option's number, or a text of your own where it takes one; reject
    leaves it unanswered.
    """
    from agent_session.activity import conversation, terminal

    with invocation.engine(one_question=True) as engine:
        name, reply = invocation.addressed(engine, name, reply, verb="answer")
        words = message(reply, hint=Hint("answer", [name, "once"]))
        done = conversation.answer(engine, terminal.running(engine, name), words, instead=instead or "").done
    print(done)
