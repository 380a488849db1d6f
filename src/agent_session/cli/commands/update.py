"""`agent-session update`: give sessions their agent's current image; all they hold stays."""

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from agent_session.cli.context import Invocation, note, of
from agent_session.cli.options import All, NamesOrDefault
from agent_session.cli.request import asked_again, image_for, seed_for
from agent_session.cli.start_options import Build
from agent_session.config import Config
from agent_session.errors import UsageError

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine


def update(
    context: typer.Context, names: NamesOrDefault = None, every: All = False, build: Build = None
) -> None:
    """Move sessions to the current image of their agent and print the names of those that moved.

    Volumes, name, projects, options and conversation stay. A session that runs is stopped and started again, detached; one
    that cannot be moved is left as it was.
    """
    from agent_session.sessions import find

    if every and names:
        raise UsageError("--all and names contradict each other", hint="agent-session update --all")
    invocation = of(context)
    config = invocation.config.with_flags(build=build)
    with invocation.engine() as engine:
        names = names or ([] if every else [invocation.name(engine, None, verb="update")])
        wanted = names or [session.name for session in find.list_sessions(engine)]
        wanted = list(dict.fromkeys(wanted))
        for name in wanted:  # one wrong name: nothing is moved
            find.get(engine, name)
        for name in wanted:
            with invocation.locked(name):
                _move(invocation, engine, name, config)


def _move(invocation: Invocation, engine: "Engine", name: str, config: Config) -> None:
    from agent_session.agents.catalog import choose
    from agent_session.sessions import find, lifecycle

    interrupted = lifecycle.settle(engine, name)  # a killed update had stopped it
    session = find.get(engine, name)
    runs = session.running or interrupted
    agent = choose(invocation.agents(), session.agent)
    image = image_for(engine, invocation.workshop(), agent, config)
    if session.image == image and session.running == runs:
        note(f"session '{name}' is up to date")
        return
    request = replace(asked_again(invocation, engine, session, agent, config), image=image)
    seed = seed_for(invocation, agent, request, fresh=config.fresh) if runs else None
    if session.running:
        note(f"session '{name}' is stopped for a moment; what is on its screen ends")
    lifecycle.recreate(engine, session, request, seed, screen=True)
    print(name)
    if runs:
        note(f"session '{name}' runs again, detached: agent-session attach {name}")
