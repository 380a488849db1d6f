"""`agent-session restart`: end a session and start it again, with its conversation; then attach."""

from typing import Annotated

from agent_session.cli import terminal
from agent_session.cli.context import Invocation, on_terminal
from agent_session.cli.options import Clipboard, DetachKey, NameOrDefault
from agent_session.cli.parameters import Option
from agent_session.cli.start_options import Detach

IfStopped = Annotated[
    bool, Option("--if-stopped", help="A session that runs is left alone, and only attached.")
]


def restart(
    invocation: Invocation,
    name: NameOrDefault = None,
    detach: Detach = None,
    detach_key: DetachKey = None,
    clipboard: Clipboard = None,
    if_stopped: IfStopped = False,
) -> None:
    """Start a session again, also one that runs, and attach. Its conversation goes on; what is on its screen
    ends."""
    from dataclasses import replace

    from agent_session.cli import reviews, wishes
    from agent_session.sessions import find

    config = invocation.config.with_flags(detach=detach, detach_key=detach_key, clipboard=clipboard)
    detached = config.detach or not on_terminal()
    with invocation.engine() as engine:
        wanted = find.get(engine, invocation.name(engine, name, verb="restart")).name
        wish = replace(wishes.again(config, wanted, screen=detached), restart=not if_stopped)
        step, session = wishes.fulfil(invocation, engine, wish, build=False)
        reviews.tell_after(step, session)
        terminal.arrive(invocation, engine, session, config=config, detached=detached)
