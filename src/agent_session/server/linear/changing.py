"""Changes of Linear's tables, one after the other: in SQLite others would wait unfairly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts


@asynccontextmanager
async def changing(parts: "Parts", *, hurried: bool = False) -> AsyncIterator[AsyncSession]:
    """Give a session whose changes are kept at the end of the block, or all undone."""
    if not parts.settings.is_sqlite:
        async with parts.database.transaction() as db:
            yield db
        return
    async with parts.linear.writing.pass_through(hurried=hurried), parts.database.transaction() as db:
        yield db
