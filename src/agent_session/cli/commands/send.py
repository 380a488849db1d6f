"""`agent-session send`: type into a session's terminal."""

from typing import Annotated

import typer

from agent_session.activity import keys
from agent_session.cli.context import of
from agent_session.cli.options import NameOrDefault
from agent_session.cli.stdin_text import piped
from agent_session.errors import Hint, UsageError

Text = Annotated[
    str | None,
    typer.Argument(
        metavar="[TEXT]", help="What to type; - reads it from standard input.", show_default=False
    ),
]
NoEnter = Annotated[bool, typer.Option("--no-enter", help="Do not press Enter after TEXT.")]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help=f"Press a key, before TEXT: {keys.TOLD}; with C-, M-, S- in front. Can be given several times.",
    ),
]


def send(
    context: typer.Context,
    name: NameOrDefault = None,
    text: Text = None,
    pressed: Keys = None,
    no_enter: NoEnter = False,
) -> None:
    """Type into a session's terminal, as if at the keyboard: keys, then the text, then Enter.

    Several lines arrive as one paste. Control characters in the text are shown, not obeyed: those are --key's.
    """
    from agent_session.activity import terminal

    invocation = of(context)
    with invocation.engine(one_question=True) as engine:
        name, text = invocation.addressed(engine, name, text, verb="send")
        if text is None and not pressed:
            raise UsageError("nothing to type", hint=Hint("send", [name, "--key", "Enter"]))
        given = text is not None
        if text == "-":
            text = piped()
        typing = terminal.Typing(text=text or "", keys=tuple(pressed or ()), enter=given and not no_enter)
        terminal.send(engine, terminal.running(engine, name), typing)
