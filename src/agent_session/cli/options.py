"""Arguments and options that several verbs have, in the same words.

Not in choices.py: importing all that a start can be told takes 1 ms, which `ls` and `attach` need not pay.
"""

from pathlib import Path
from typing import Annotated

from agent_session.cli.parameters import Argument, Option
from agent_session.errors import Hint, UsageError
from agent_session.host import detach_key

OR_DEFAULT = "[env: AGENT_SESSION_NAME] [default: the one of this directory, or the only one]"


Name = Annotated[str, Argument(metavar="NAME", help="The session.")]
RunningName = Annotated[str, Argument(metavar="NAME", help="The session; it must run.")]
ScreenName = Annotated[str, Argument(metavar="NAME", help="The session; it must run, attached or not.")]
NameOrDefault = Annotated[str | None, Argument(metavar="[NAME]", help=f"The session. {OR_DEFAULT}")]
NamesOrDefault = Annotated[
    list[str] | None,
    Argument(metavar="[NAME]...", help=f"Sessions. {OR_DEFAULT}"),
]
Names = Annotated[list[str] | None, Argument(metavar="NAME...", help="Sessions.")]
DetachKey = Annotated[
    str | None,
    Option(
        "--detach-key",
        metavar="KEY",
        parser=detach_key.read,
        help="The key that leaves the session: Ctrl q, Alt x, F12. Without it, in your own Zellij and in "
        "VS Code, which take Ctrl q, it is "
        "Ctrl and ]. [env: AGENT_SESSION_DETACH_KEY] [default: Ctrl q]",
    ),
]
Clipboard = Annotated[
    bool | None,
    Option(
        "--clipboard/--no-clipboard",
        help="What runs in the session may set this terminal's clipboard and title. "
        "[env: AGENT_SESSION_CLIPBOARD] [default: no-clipboard]",
    ),
]
Project = Annotated[
    str | None,
    Argument(metavar="[PROJECT]", help="The clone, by its name or what it was made from. [default: all]"),
]
Into = Annotated[
    Path | None,
    Option(
        "--into",
        metavar="DIRECTORY",
        parser=Path,
        help="A repository of this machine. [default: the one that the clone was made from]",
    ),
]
All = Annotated[bool, Option("--all", help="All of them.")]
JsonList = Annotated[bool, Option("--json", help="A JSON list of objects on stdout.")]
JsonLines = Annotated[bool, Option("--json", help="One JSON object per line on stdout.")]


def check_seconds(seconds: float | None, *, least: float = 0, hint: Hint) -> None:
    """UsageError where what was given as --timeout is not a time that can pass."""
    if seconds is not None and not least <= seconds < float("inf"):  # nan is none of these
        raise UsageError(
            f"--timeout {seconds:g} is not a valid number of seconds: use {least:g} or more", hint=hint
        )
