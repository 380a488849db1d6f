"""`agent-session add`: a session gets another project, and keeps its conversation."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument

if TYPE_CHECKING:
    from agent_session.sessions.steps import Replace

New = Annotated[
    str, Argument(metavar="PROJECT", help="A directory, or PATH:ro for one that the agent may only read.")
]


def add(invocation: Invocation, name: Name, project: New) -> None:
    """Give a session another project, at /workspace/<its name>, and print the session's name.

    Its container is made anew around the same volumes: a session that runs is stopped for a moment, and its
    conversation goes on. A project that it has gets the mode that is typed: PATH, or PATH:ro.
    """
    from agent_session.sessions import project_changes

    changed(invocation, name, project, project_changes.add)


def changed(invocation: Invocation, name: str, project: str, decide: Callable[..., "Replace"]) -> None:
    """Change a session's projects as `decide` says."""
    from agent_session.cli import reviews, terminal, wishes
    from agent_session.sessions import find, start

    wish = wishes.again(invocation.config, name, screen=True)
    with invocation.engine() as engine, invocation.locked(name, before_waiting=lambda: None):
        session = find.get(engine, name)
        step = decide(engine, session, project, wish, invocation.installation)
        reviews.tell(session, remark="a project that is dropped is not looked at any more")
        if session.running:
            note(f"session '{name}' is stopped for a moment; the programs on its screen end")
        seed: Any = start.seed_for(engine, step, wish, invocation.installation)
        with terminal.patience(f"{step.request.agent.title}'s screen"):
            start.perform(engine, step, seed, note)
    print(name)
