"""`agent-session update`: give sessions their agent's current image; all they hold stays."""

from dataclasses import replace
from typing import TYPE_CHECKING

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import All, NamesOrDefault
from agent_session.cli.start_options import Build
from agent_session.config import Config
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.steps import Step


def update(
    invocation: Invocation, names: NamesOrDefault = None, every: All = False, build: Build = None
) -> None:
    """Move sessions to the current image of their agent and print the names of those that moved.

    Volumes, name, projects, options and conversation stay. A session that runs is stopped and started again,
    detached; one that cannot be moved is left as it was.
    """
    from agent_session.sessions import find

    if every and names:
        raise UsageError("--all and names contradict each other", hint=Hint("update", ["--all"]))
    config = invocation.config.with_flags(build=build)
    with invocation.engine() as engine:
        names = names or ([] if every else [invocation.name(engine, None, verb="update")])
        wanted = names or [session.name for session in find.list_sessions(engine)]
        wanted = list(dict.fromkeys(wanted))
        find.get_many(engine, wanted)  # one wrong name: nothing is moved
        for name in wanted:
            _move(invocation, engine, name, config)


def _move(invocation: Invocation, engine: "Engine", name: str, config: Config) -> None:
    from agent_session.cli import wishes
    from agent_session.sessions.steps import Attach, Replace

    def before(step: "Step") -> None:
        if isinstance(step, Replace) and step.session.running:
            note(f"session '{name}' is stopped for a moment; the programs on its screen end")

    wish = replace(wishes.again(config, name, screen=True), update=True)
    step, session = wishes.fulfil(invocation, engine, wish, build=config.build, before=before)
    if isinstance(step, Attach):
        note(f"session '{name}' is up to date")
        return
    print(name)
    if session.running:
        note(f"session '{name}' runs again, detached: agent-session attach {name}")
