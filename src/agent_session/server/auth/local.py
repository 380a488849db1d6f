"""Work on the server's database for the local user, by a command beside the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.auth import users
from agent_session.server.database import schema
from agent_session.server.database.connection import connect
from agent_session.server.database.models import User
from agent_session.server.settings import Settings

T = TypeVar("T")


def run(settings: Settings, work: Callable[[AsyncSession, User], Awaitable[T]]) -> T:
    """Do some work in one transaction; the server need not run. Raises what the work does, SchemaDiffers."""
    schema.make_ready(settings)

    async def working() -> T:
        database = connect(settings.url)
        try:
            async with database.transaction() as session:
                return await work(session, await users.local(session))
        finally:
            await database.close()

    return asyncio.run(working())
