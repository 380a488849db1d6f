"""Links that log a browser in: for ten minutes, and once."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.auth import secret_words
from agent_session.server.database.models import LoginLink, User
from agent_session.server.errors import Unauthenticated

VALID = timedelta(minutes=10)


async def make(session: AsyncSession, user: User) -> str:
    """Make a link's secret word, and forget the links that are over."""
    now = datetime.now(UTC)
    await session.execute(delete(LoginLink).where(LoginLink.expires_at < now))
    word = secret_words.new()
    session.add(
        LoginLink(digest=secret_words.digest(word), user_id=user.id, created_at=now, expires_at=now + VALID)
    )
    await session.flush()
    return word


async def use(session: AsyncSession, word: str) -> User:
    """Return the user of a link, which is used up by that. Unauthenticated for any other word."""
    now = datetime.now(UTC)
    taken = await session.execute(
        update(LoginLink)
        .where(
            LoginLink.digest == secret_words.digest(word),
            LoginLink.used_at.is_(None),
            LoginLink.expires_at > now,
        )
        .values(used_at=now)
    )
    if not isinstance(taken, CursorResult) or taken.rowcount != 1:
        raise Unauthenticated("this link has been used, or is more than ten minutes old")
    link = await session.get(LoginLink, secret_words.digest(word))
    user = await session.get(User, link.user_id) if link else None
    if user is None or not user.is_active:
        raise Unauthenticated
    user.last_login = now
    return user
