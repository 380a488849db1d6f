"""`agent-session fork`: a second session that goes on from where the first one is."""

from typing import Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument

New = Annotated[str, Argument(metavar="NEW", help="The name of the second session.")]


def fork(invocation: Invocation, name: Name, new: New) -> None:
    """Start a second session with the conversation, home, clones and uncommitted changes of the first; print
    its name.

    The first one is untouched, and may run. Directories that are mounted are the same for both, and ports are
    not published twice.
    """
    from agent_session.agents.seed import EMPTY
    from agent_session.cli import terminal, wishes
    from agent_session.sessions import duplicate, find, start
    from agent_session.sessions.steps import Create

    installation = invocation.installation
    wish = wishes.again(invocation.config, name, screen=True)
    with invocation.engine() as engine, invocation.locked(new):
        session = find.get(engine, name)
        request = duplicate.decide(engine, session, new, wish, installation, forked=True)
        for line in request.protection.notes:
            note(line)
        if session.running:
            note(f"session '{name}' runs: what it writes at this moment may be copied incomplete")
        if session.published:
            note(f"'{new}' publishes no port: agent-session ports {new} --publish PORT forwards one")
        step = Create(request=request, built=True, screen=True)
        seed = start.seed_for(engine, step, wish, installation) or EMPTY
        with terminal.patience(f"{request.agent.title}'s screen"):
            duplicate.fork(engine, session, request, seed, screen=True, report=note)
    print(new)
    if session.projects:
        shared = ", ".join(str(one.source) for one in session.projects)
        note(f"both sessions work in {shared}")
