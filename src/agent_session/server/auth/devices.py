"""Browsers that are logged in: an opaque cookie each, which can be taken away."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.auth import secret_words
from agent_session.server.database.models import Device, User

VALID = timedelta(days=30)
"""After its last use."""
TOLD = timedelta(minutes=5)
"""How old the kept time of the last use may become."""


async def log_in(session: AsyncSession, user: User, *, browser: str, address: str) -> str:
    """Log a browser in; return its cookie."""
    now = datetime.now(UTC)
    await session.execute(delete(Device).where(Device.expires_at < now))
    word = secret_words.new()
    session.add(
        Device(
            digest=secret_words.digest(word),
            user_id=user.id,
            browser=browser[:300],
            address=address[:64],
            created_at=now,
            last_used=now,
            expires_at=now + VALID,
        )
    )
    return word


async def find(session: AsyncSession, word: str) -> tuple[Device, User] | None:
    """Return the browser with a cookie and its user; None for a cookie that is not valid (any more)."""
    now = datetime.now(UTC)
    row = (
        await session.execute(
            select(Device, User)
            .join(User, User.id == Device.user_id)
            .where(Device.digest == secret_words.digest(word), Device.expires_at > now, User.is_active)
        )
    ).first()
    if row is None:
        return None
    device, user = row[0], row[1]
    if now - device.last_used > TOLD:
        device.last_used, device.expires_at = now, now + VALID
    return device, user


async def of_user(session: AsyncSession, user: uuid.UUID) -> Sequence[Device]:
    """Return the browsers of a user, the last used first."""
    found = await session.scalars(
        select(Device).where(Device.user_id == user).order_by(Device.last_used.desc())
    )
    return found.all()


async def log_out(session: AsyncSession, user: uuid.UUID, device: uuid.UUID) -> bool:
    """Log a browser of a user out; return whether there was one."""
    found = await session.get(Device, device)
    if found is None or found.user_id != user:
        return False
    await session.delete(found)
    return True
