"""`agent-session help`: the help of everything, or of one command."""

from difflib import get_close_matches
from typing import Annotated

from agent_session.cli import verbs
from agent_session.cli.context import Invocation
from agent_session.cli.parameters import Argument
from agent_session.errors import Hint, UsageError

Command = Annotated[str | None, Argument(metavar="[COMMAND]", help="The command to explain.")]


def help(_invocation: Invocation, command: Command = None) -> None:
    """Show this help, or with the name of a command all about that one, as its --help does."""
    from agent_session.cli import app

    if command is None:
        print(app.help_text())
        return
    verb = verbs.find(command)
    if verb is None:
        close = get_close_matches(command, verbs.VERBS, n=1)
        raise UsageError(
            f"there is no command {command!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
            hint=Hint("help", close),
        )
    print(app.help_text(verb.name))
