"""The audit log: each call that changed something or was denied, in SQL and as JSON lines on disk."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from agent_session.host.clock import utc
from agent_session.server.database.connection import Database
from agent_session.server.database.models import AuditEntry


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call; it holds no word of what was said, and no secret."""

    user: str | None
    way: str
    action: str
    session: str | None
    status: int
    address: str


@dataclass(frozen=True, kw_only=True)
class AuditLog:
    """Where calls are written down."""

    database: Database
    file: Path

    async def record(self, call: Call) -> None:
        """Write a call down, on disk first: that one remains where the database cannot be reached."""
        now = datetime.now(UTC)
        line = json.dumps({"time": utc(now), **asdict(call)}, ensure_ascii=True) + "\n"
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        async with self.database.transaction() as session:
            session.add(AuditEntry(time=now, **asdict(call)))

    async def newest(self, *, limit: int, before: int | None = None) -> Sequence[AuditEntry]:
        """Return the newest entries, the newest first; of those before an entry's id."""
        query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditEntry.id < before)
        async with self.database.transaction() as session:
            return (await session.scalars(query)).all()
