"""Arguments and options that several verbs have, in the same words.

Not in choices.py: importing all that a start can be told takes 1 ms, which `ls` and `attach` need not pay.
"""

from typing import Annotated

import typer

from agent_session.errors import Hint, UsageError
from agent_session.host import detach_key

OR_DEFAULT = "[env: AGENT_SESSION_NAME] [default: the one of this directory, or the only one]"


def _key(text: str) -> str:
    try:
        return detach_key.read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Name = Annotated[str, typer.Argument(metavar="NAME", help="The session.")]
RunningName = Annotated[str, typer.Argument(metavar="NAME", help="The session; it must run.")]
ScreenName = Annotated[str, typer.Argument(metavar="NAME", help="The session; it must run, attached or not.")]
NameOrDefault = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help=f"The session. {OR_DEFAULT}", show_default=False)
]
NamesOrDefault = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help=f"Sessions. {OR_DEFAULT}", show_default=False),
]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Sessions.", show_default=False)]
DetachKey = Annotated[
    str | None,
    typer.Option(
        "--detach-key",
        metavar="KEY",
        parser=_key,
        help="The key that leaves the session: Ctrl q, Alt x, F12. Without it, in your own Zellij and in "
        "VS Code, which take Ctrl q, it is "
        "Ctrl and ]. [env: AGENT_SESSION_DETACH_KEY] [default: Ctrl q]",
        show_default=False,
    ),
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
JsonList = Annotated[bool, typer.Option("--json", help="A list of objects on stdout.")]
JsonLines = Annotated[bool, typer.Option("--json", help="An object a line on stdout.")]


def check_seconds(seconds: float | None, *, least: float = 0, hint: Hint) -> None:
    """UsageError where what was given as --timeout is not a time that can pass."""
    if seconds is not None and not least <= seconds < float("inf"):  # nan is none of these
        raise UsageError(f"--timeout {seconds:g} is not a number of seconds, {least:g} or more", hint=hint)
