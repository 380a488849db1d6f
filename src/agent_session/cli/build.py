"""`agent-session build`: build agents' images."""

from typing import Annotated

import typer

from agent_session.cli import render
from agent_session.cli.invocation import of
from agent_session.config import DEFAULT_AGENT
from agent_session.errors import UsageError

Agents = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[AGENT]...", help="Agents. [env: AGENT_SESSION_AGENT] [default: claude]", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="All agents.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Build everything anew, from a fresh base.")]


def build(context: typer.Context, agents: Agents = None, every: All = False, no_cache: NoCache = False) -> None:
    """Build the images of agents and print their names; one that is current is left alone."""
    from agent_session import images
    from agent_session.agents import choose

    if every and agents:
        raise UsageError("--all and names contradict each other", hint="agent-session build --all")
    invocation = of(context)
    known = invocation.agents()
    wanted = [
        choose(known, name) for name in (known if every else agents or [invocation.config.agent or DEFAULT_AGENT])
    ]
    workshop = invocation.workshop()
    with invocation.engine() as engine:
        for agent in wanted:
            if not no_cache and images.is_current(engine, workshop, agent):
                print(images.reference(engine, workshop, agent))
                continue
            with render.build_progress(f"Building {agent.title}") as tell:
                built = images.ensure_image(engine, workshop, agent, tell=tell, no_cache=no_cache)
            print(built)
