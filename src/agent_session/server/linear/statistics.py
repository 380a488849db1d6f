"""How many sessions of Linear's there are, by what became of them."""

from sqlalchemy import func, select

from agent_session.server.database.connection import Database
from agent_session.server.linear.tables import LinearSession


async def counts(database: Database) -> dict[str, int]:
    """Return {total, active, completed, error, timeout}; active are those that begin as well."""
    async with database.transaction() as db:
        query = (
            select(LinearSession.status, func.count())
            .where(LinearSession.messages > 0)  # others were refused, and never begun
            .group_by(LinearSession.status)
        )
        found = {str(row[0]): int(row[1]) for row in (await db.execute(query)).all()}
    return {
        "total": sum(found.values()),
        "active": found.get("active", 0) + found.get("creating", 0),
        **{name: found.get(name, 0) for name in ("completed", "error", "timeout")},
    }
