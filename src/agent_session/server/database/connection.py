"""The database, opened for asynchronous use: SQLite for one person, PostgreSQL for a team."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000")


@dataclass(frozen=True, kw_only=True)
class Database:
    """An open database."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are kept at the end of the block, or all undone."""
        async with self.sessions.begin() as session:
            yield session

    async def answers(self) -> bool:
        """Say whether the database can be asked."""
        try:
            async with self.engine.connect() as connection:
                await connection.execute(text("select 1"))
        except Exception:  # whatever a driver raises, the answer to the question is no
            return False
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def connect(url: str) -> Database:
    """Open a database; it is reached when it is first asked."""
    engine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if url.startswith("sqlite"):
        event.listen(engine.sync_engine, "connect", prepare_sqlite)
    return Database(engine=engine, sessions=async_sessionmaker(engine, expire_on_commit=False))


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Have a connection to SQLite wait for its turn, and check foreign keys."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
