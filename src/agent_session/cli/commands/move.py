"""`agent-session move`: a session's project has another path now."""

from typing import Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument

Old = Annotated[str, Argument(metavar="OLD", help="The project's path as the session knows it, or its name.")]
New = Annotated[str, Argument(metavar="PROJECT", help="The directory that it is now.")]


def move(invocation: Invocation, name: Name, old: Old, new: New) -> None:
    """Tell a stopped session that a project of its has another path now, and print its name.

    No file is moved. The project stays where it was in the session, so the conversation and all else goes on.
    """
    from agent_session.cli import wishes
    from agent_session.sessions import find, moved, start

    wish = wishes.again(invocation.config, name, screen=False)
    with invocation.engine() as engine, invocation.locked(name, before_waiting=lambda: None):
        step = moved.decide(engine, find.get(engine, name), old, new, wish, invocation.installation)
        start.perform(engine, step, None, note)
    print(name)
