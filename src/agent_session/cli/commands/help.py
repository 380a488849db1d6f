"""`agent-session help`: the help of everything, or of one command."""

from difflib import get_close_matches
from typing import Annotated, Any

import typer

from agent_session.cli import verbs
from agent_session.errors import Hint, UsageError

Command = Annotated[
    str | None, typer.Argument(metavar="[COMMAND]", help="The command to tell about.", show_default=False)
]


def help(context: typer.Context, command: Command = None) -> None:
    """Show this help, or with the name of a command all about that one, as its --help does."""
    assert context.parent
    if command is None:
        print(context.parent.get_help())
        return
    verb = verbs.find(command)
    if verb is None:
        close = get_close_matches(command, verbs.VERBS, n=1)
        raise UsageError(
            f"there is no command {command!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
            hint=Hint("help", close),
        )
    group: Any = context.parent.command
    found = group.commands[verb.name]
    print(found.get_help(typer.Context(found, info_name=verb.name, parent=context.parent)))
