"""`agent-session drop`: a session has a project no more, and keeps its conversation."""

from typing import Annotated

from agent_session.cli.commands.add import changed
from agent_session.cli.context import Invocation
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument

Old = Annotated[str, Argument(metavar="PROJECT", help="The project's path, or its name in the session.")]


def drop(invocation: Invocation, name: Name, project: Old) -> None:
    """Take a project away from a session, and print the session's name. Nothing in the project is touched.

    Its container is made anew around the same volumes: a session that runs is stopped for a moment, and its
    conversation goes on. The project that the agent starts in stays.
    """
    from agent_session.sessions import project_changes

    changed(invocation, name, project, project_changes.drop)
