"""`agent-session send`: type into a session's terminal."""

import sys
from typing import Annotated

import typer

from agent_session.cli.invocation import of
from agent_session.errors import UsageError

Name = Annotated[str, typer.Argument(metavar="NAME", help="The session; it must run, attached or not.")]
Text = Annotated[
    str | None,
    typer.Argument(metavar="[TEXT]", help="What to type; - reads it from standard input.", show_default=False),
]
NoEnter = Annotated[bool, typer.Option("--no-enter", help="Do not press Enter after TEXT.")]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="Press a key, before TEXT: Enter, Esc, Tab, Up, Down, Left, Right, Home, End, PgUp, PgDn, Insert, Delete, "
        "Backspace, Space, F1 to F12, a character; with C-, M-, S- in front. Can be given several times.",
    ),
]


def send(context: typer.Context, name: Name, text: Text = None, keys: Keys = None, no_enter: NoEnter = False) -> None:
    """Type into a session's terminal, as if at the keyboard: keys, then the text, then Enter.

    Several lines arrive as one paste. Control characters in the text are shown, not obeyed: those are --key's.
    """
    from agent_session import screens

    if text is None and not keys:
        raise UsageError("nothing to type", hint=f"agent-session send {name} --key Enter")
    given = text is not None
    if text == "-":
        # One byte too many is enough to be refused.
        text = sys.stdin.buffer.read(screens.LARGEST_TEXT + 2).decode("utf-8", "replace").removesuffix("\n")
    typing = screens.Typing(text=text or "", keys=tuple(keys or ()), enter=given and not no_enter)
    with of(context).engine(one_question=True) as engine:
        screens.send(engine, screens.running(engine, name), typing)
