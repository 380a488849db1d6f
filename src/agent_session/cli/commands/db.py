"""`agent-session db`: the server's database."""

from dataclasses import asdict
from typing import Annotated

from agent_session.cli import output
from agent_session.cli.commands.serve import read_settings
from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.table import print_table
from agent_session.errors import Hint, UsageError

Action = Annotated[str, Argument(metavar="ACTION", help="upgrade or inspect.")]
Json = Annotated[bool, Option("--json", help="JSON on stdout.")]


def db(_invocation: Invocation, action: Action, as_json: Json = False) -> None:
    """Move the server's database to this release's version, or tell what is in it.

    It is the one that AGENT_SESSION_DATABASE_URL names, or an SQLite file, of which `upgrade` keeps a copy.
    """
    if action not in ("upgrade", "inspect"):
        raise UsageError(f"{action!r} is not one of: upgrade, inspect", hint=Hint("db", ["inspect"]))
    settings = read_settings()
    from agent_session.server.database import schema

    if action == "upgrade":
        schema.upgrade(settings)
    found = schema.inspect(settings)
    if as_json:
        output.print_json(asdict(found))
        return
    note(f"{found.url}: version {found.version or 'none'}, this release's is {found.newest}")
    if action == "inspect" and found.rows:
        print_table(("TABLE", "ROWS"), [(name, str(rows)) for name, rows in found.rows.items()])
