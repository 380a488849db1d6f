"""`agent-session audit`: the trail of a session."""

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonLines, NameOrDefault


def audit(invocation: Invocation, name: NameOrDefault = None, as_json: JsonLines = False) -> None:
    """Show all that is recorded of a session, the oldest first: how it was made, starts, states, prompts by
    size, tools.

    Most of it is kept in the session, where its agent can write too.
    """
    from agent_session.activity import shapes, trail

    with invocation.engine() as engine:
        session = invocation.session(engine, name, verb="audit")
        found = trail.read(engine, session)
    for event in found:
        if as_json:
            output.print_line(shapes.event(event))
        else:
            moment = event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            print(sanitize.shown(f"{moment}  {trail.sentence(event)}"))
    if not found:
        note(f"nothing is recorded about session '{session.name}'")
