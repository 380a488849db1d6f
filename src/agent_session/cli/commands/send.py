"""`agent-session send`: type into a session's terminal."""

from typing import Annotated

from agent_session.activity import keys
from agent_session.cli.context import Invocation
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.stdin_text import piped
from agent_session.errors import Hint, UsageError

Text = Annotated[
    str | None,
    Argument(metavar="[TEXT]", help="What to type; - reads it from standard input."),
]
NoEnter = Annotated[bool, Option("--no-enter", help="Do not press Enter after TEXT.")]
Keys = Annotated[
    list[str] | None,
    Option(
        "--key",
        metavar="KEY",
        help=f"Press a key, before TEXT: {keys.TOLD}; with C-, M-, S- in front. Can be given several times.",
    ),
]


def send(
    invocation: Invocation,
    name: NameOrDefault = None,
    text: Text = None,
    pressed: Keys = None,
    no_enter: NoEnter = False,
) -> None:
    """Type into a session's terminal, as if at the keyboard: keys, then the text, then Enter.

    Several lines arrive as one paste. Control characters in the text are shown, not obeyed: those are
    --key's.
    """
    from agent_session.activity import terminal

    with invocation.engine(one_question=True) as engine:
        name, text = invocation.addressed(engine, name, text, verb="send")
        if text is None and not pressed:
            raise UsageError("there is nothing to type", hint=Hint("send", [name, "--key", "Enter"]))
        given = text is not None
        if text == "-":
            text = piped()
        typing = terminal.Typing(text=text or "", keys=tuple(pressed or ()), enter=given and not no_enter)
        terminal.send(engine, terminal.running(engine, name), typing)
