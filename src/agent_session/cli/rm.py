"""`agent-session rm`: remove stopped sessions, their containers and home volumes; never a project."""

from typing import Annotated

import typer

from agent_session.cli import prompts
from agent_session.cli.invocation import of, on_terminal
from agent_session.cli.stop import Names
from agent_session.config import DEFAULT_SESSION
from agent_session.errors import ConflictError, SessionRunning, UsageError

Force = Annotated[bool | None, typer.Option("-f", "--force", help="Do not ask. [env: AGENT_SESSION_FORCE=1]", show_default=False)]


def rm(context: typer.Context, names: Names = None, force: Force = None) -> None:
    """Remove stopped sessions: container and home volume with its conversations. Projects are not touched."""
    from agent_session import sessions

    invocation = of(context)
    config = invocation.config.with_flags(force=force)
    wanted = list(dict.fromkeys(names or [config.name or DEFAULT_SESSION]))
    with invocation.engine() as engine:
        for name in wanted:  # all or none: nothing is asked or removed where one name is wrong
            session = sessions.find(engine, name)
            if session and session.running:
                raise SessionRunning(name)
            if not session:
                sessions.check_removable(engine, name)
        if not config.force:
            if not on_terminal():
                raise UsageError("rm asks first, and there is no terminal to ask on", hint=f"agent-session rm --force {' '.join(wanted)}")
            what = ", ".join(f"'{name}'" for name in wanted)
            if not prompts.confirm(f"Remove {what} with all conversations? Projects stay.", default=False):
                raise ConflictError("nothing removed")
        for name in wanted:
            with invocation.locked(name):
                sessions.remove(engine, name)
