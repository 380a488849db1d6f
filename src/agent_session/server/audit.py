"""The audit log: each call that changed something or was denied, in SQL and as JSON lines on disk."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field
from sqlalchemy import select

from agent_session.host.clock import aware, utc
from agent_session.server.database.connection import Database
from agent_session.server.database.models import AuditEntry

DENIED = frozenset({401, 403, 421, 429})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call; it holds no word of what was said, and no secret."""

    user: str | None
    way: str
    action: str
    session: str | None
    status: int
    address: str


class Wanted(BaseModel):
    """Which entries: `before` an id, from `since` to `until`, and those that have what is given."""

    limit: int = Field(default=100, ge=1, le=1000)
    before: int | None = Field(default=None, ge=1, le=2**31 - 1)
    user: str | None = Field(default=None, max_length=255)
    action: str | None = Field(default=None, max_length=100)
    session: str | None = Field(default=None, max_length=255)
    address: str | None = Field(default=None, max_length=64)
    status: int | None = Field(default=None, ge=100, le=599)
    since: datetime | None = None
    until: datetime | None = None
    denied: bool | None = None


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

    async def newest(self, wanted: Wanted) -> Sequence[AuditEntry]:
        """Return the newest entries that are wanted, the newest first."""
        query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(wanted.limit)
        for name in ("user", "action", "session", "address", "status"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(getattr(AuditEntry, name) == value)
        if wanted.before is not None:
            query = query.where(AuditEntry.id < wanted.before)
        if wanted.since is not None:
            query = query.where(AuditEntry.time >= aware(wanted.since))
        if wanted.until is not None:
            query = query.where(AuditEntry.time < aware(wanted.until))
        if wanted.denied is not None:
            denied = AuditEntry.status.in_(DENIED)
            query = query.where(denied if wanted.denied else ~denied)
        async with self.database.transaction() as session:
            return (await session.scalars(query)).all()
