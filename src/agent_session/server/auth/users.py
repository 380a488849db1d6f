"""Users: the local one, who is made when he is first needed."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.database.models import User
from agent_session.server.settings import LOCAL


async def local(session: AsyncSession) -> User:
    """Return the local user, who may do everything."""
    found = await session.scalar(select(User).where(User.login == LOCAL, User.github_id.is_(None)))
    if found is None:
        found = User(login=LOCAL, is_admin=True, is_active=True, created_at=datetime.now(UTC))
        session.add(found)
        await session.flush()
    return found


def owner(user: User) -> str:
    """Return whose a user's sessions are; GitHub's number outlives names, which are given to others."""
    return "" if user.github_id is None else f"github:{user.github_id}"
