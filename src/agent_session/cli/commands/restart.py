"""`agent-session restart`: start a stopped session again, and attach."""

import typer

from agent_session.cli import terminal
from agent_session.cli.commands.start import wake
from agent_session.cli.context import of, on_terminal
from agent_session.cli.options import NameOrDefault
from agent_session.cli.start_options import Detach


def restart(context: typer.Context, name: NameOrDefault = None, detach: Detach = None) -> None:
    """Start a stopped session again and attach; one that runs is only attached."""
    from agent_session.sessions import find

    invocation = of(context)
    config = invocation.config.with_flags(detach=detach)
    detached = config.detach or not on_terminal()
    with invocation.engine() as engine:
        wanted = invocation.name(engine, name, verb="restart")
        with invocation.locked(wanted):
            session = wake(invocation, engine, find.get(engine, wanted), config, screen=detached)
            terminal.arrive(invocation, engine, session, detached=detached, silent=config.detach)
