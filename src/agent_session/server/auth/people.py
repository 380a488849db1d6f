"""Users who log in with GitHub: known by their number there, whatever they are called."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server import team
from agent_session.server.auth.github import Person
from agent_session.server.database.models import User
from agent_session.server.settings import Settings


async def logged_in(session: AsyncSession, settings: Settings, person: Person) -> User:
    """Return the user of a person who has logged in; a first login makes them."""
    now = datetime.now(UTC)
    user = await session.scalar(select(User).where(User.github_id == person.number))
    login = await _free(session, person)
    if user is None:
        user = User(login=login, github_id=person.number, created_at=now)
        session.add(user)
    user.login, user.email, user.avatar_url = login, person.email, person.avatar_url
    user.is_active, user.last_login = True, now
    user.is_admin = team.is_listed(settings.admins, login=person.login, number=person.number)
    await session.flush()
    return user


def is_confirmed(settings: Settings, user: User) -> bool:
    """Say whether somebody who logged in may still do so, as far as is known.

    Who is on a list of users may; a membership is known from the last login, and not for long.
    """
    if user.github_id is None or not settings.is_team:
        return True
    named = f"{settings.allowed_users},{settings.admins}"
    if team.is_listed(named, login=user.login.partition("#")[0], number=user.github_id):
        return True
    if not (settings.allowed_organizations or settings.allowed_teams) or user.last_login is None:
        return False
    return datetime.now(UTC) - user.last_login < timedelta(hours=settings.membership_hours)


async def obey_lists(session: AsyncSession, settings: Settings) -> None:
    """Have everybody's rights be those of the lists as they are now.

    Who is on no list is logged out; where organisations or teams are allowed, GitHub is asked at the next
    login.
    """
    memberships = settings.allowed_organizations or settings.allowed_teams
    named = f"{settings.allowed_users},{settings.admins}"
    for user in await session.scalars(select(User).where(User.github_id.is_not(None))):
        login, number = user.login.partition("#")[0], user.github_id or 0
        user.is_admin = team.is_listed(settings.admins, login=login, number=number)
        user.is_active = bool(memberships) or team.is_listed(named, login=login, number=number)


async def _free(session: AsyncSession, person: Person) -> str:
    """Return the name that a person has here: GitHub's, taken from somebody who was called so before."""
    other = await session.scalar(select(User).where(User.login == person.login))
    if other is None or other.github_id == person.number:
        return person.login
    if other.github_id is None:  # the local user keeps that name
        return f"{person.login}#{person.number}"
    other.login = f"{other.login}#{other.github_id}"
    await session.flush()
    return person.login
