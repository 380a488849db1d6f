"""`agent-session usage`: tokens and costs of a session."""

from typing import Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Option

AsJson = Annotated[bool, Option("--json", help="One JSON object on stdout.")]


def usage(invocation: Invocation, name: NameOrDefault = None, as_json: AsJson = False) -> None:
    """Show the tokens and costs of a session, by model, from its agents' own records.

    It is counted over all conversations in the session's home. Costs are those that the agent writes down:
    Claude Code writes none.
    """
    from agent_session.activity import usage as used

    with invocation.engine() as engine:
        session = invocation.session(engine, name, verb="usage")
        found = used.read(engine, session)
    if as_json:
        from agent_session.activity import shapes
        from agent_session.cli import output

        output.print_json(shapes.usage(session, found))
        return
    if not found.models:
        note(f"no agent has written down what it used in '{session.name}'")
        return
    from agent_session.cli.table import print_table

    rows = [
        [
            one.model,
            *(
                f"{count:,}"
                for count in (one.answers, one.input, one.output, one.cache_read, one.cache_write)
            ),
            "-" if one.cost is None else f"${one.cost:.4f}",
        ]
        for one in found.models
    ]
    columns = ["MODEL", "ANSWERS", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "COST"]
    print_table(columns, rows, less=["CACHE WRITE", "CACHE READ"])
