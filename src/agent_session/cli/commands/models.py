"""`agent-session models`: the models that a session's agent can use."""

from typing import Annotated

from agent_session.cli import output, table
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Option

Json = Annotated[bool, Option("--json", help="A JSON array on stdout: id, name, current.")]


def models(invocation: Invocation, name: NameOrDefault = None, as_json: Json = False) -> None:
    """List the models a session can use, asked of its agent now; * is the one it uses."""
    from agent_session.activity import conversation, shapes, terminal

    with invocation.engine(one_question=True) as engine:
        name = invocation.name(engine, name, verb="models")
        found = conversation.models(engine, terminal.running(engine, name))
    if as_json:
        output.print_json(list(map(shapes.model, found)))
    elif found:
        table.print_table(
            ("MODEL", "NAME", "CURRENT"),
            [(model.id, model.name, "*" if model.current else "") for model in found],
        )
    else:
        note(f"the agent of session '{name}' lists no models")
