"""`agent-session keys`: the keys with which the server encrypts agents' logins."""

import asyncio
from typing import Annotated

from agent_session.cli.commands.serve import read_settings
from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Argument
from agent_session.errors import Hint, UsageError

Action = Annotated[str, Argument(metavar="ACTION", help="rotate.")]


def keys(_invocation: Invocation, action: Action) -> None:
    """Make a new key, and encrypt all logins of the server's agents with it. The server may run.

    With AGENT_SESSION_KEYS no key is made: put a new one before the others first; when this is done, the
    others can go.
    """
    if action != "rotate":
        raise UsageError(f"{action!r} is not one of: rotate", hint=Hint("keys", ["rotate"]))
    settings = read_settings()
    from agent_session.server import agents
    from agent_session.server import keys as server_keys
    from agent_session.server.database import schema
    from agent_session.server.database.connection import connect

    schema.make_ready(settings)
    if not settings.keys.get_secret_value():
        server_keys.add(settings)

    async def encrypt() -> int:
        database = connect(settings.url)
        try:
            return await agents.encrypt_again(database, settings)
        finally:
            await database.close()

    count = asyncio.run(encrypt())
    note(f"{count} {'login is' if count == 1 else 'logins are'} encrypted with the newest key")
