"""`agent-session stop`: end sessions; their conversations and projects stay."""

from typing import Annotated

import typer

from agent_session.cli.invocation import of
from agent_session.config import DEFAULT_SESSION
from agent_session.errors import UsageError

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...", help="Sessions. [env: AGENT_SESSION_NAME] [default: default]", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def stop(context: typer.Context, names: Names = None, every: All = False) -> None:
    """Stop sessions within 10 seconds; one that is stopped already is fine."""
    from agent_session import sessions

    if every and names:
        raise UsageError("--all and names contradict each other", hint="agent-session stop --all")
    invocation = of(context)
    with invocation.engine() as engine:
        if every:
            sessions.stop(engine, [session for session in sessions.list_sessions(engine) if session.running])
        else:
            wanted = dict.fromkeys(names or [invocation.config.name or DEFAULT_SESSION])
            sessions.stop(engine, [sessions.get(engine, name) for name in wanted])
