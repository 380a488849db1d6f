"""Who may ask: allowed users and teams, people who are known here; without an author nobody is."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server import team
from agent_session.server.auth import scopes, users
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import User
from agent_session.server.linear.payload import Asked
from agent_session.server.linear.settings import LinearSettings, pairs
from agent_session.server.settings import Settings


def is_ignored(choices: LinearSettings, asked: Asked) -> bool:
    """Say whether nothing at all is answered: to ourselves, to other programs, to nobody."""
    if asked.author and asked.author in {asked.app_user, choices.linear_agent_user_id}:
        return True
    return asked.by_program and not choices.linear_answer_agents


def refusal(choices: LinearSettings, asked: Asked) -> str:
    """Say why somebody may not ask; "": he or she may. The lists fail closed."""
    people, teams = team.listed(choices.session_allowed_users), team.listed(choices.session_allowed_teams)
    limited = people or teams or choices.session_require_auth
    if limited and not asked.author:
        return "I do not know who asks, and only some people may."
    if people and asked.author.lower() not in people:
        return "You are not among the people who may ask me (SESSION_ALLOWED_USERS)."
    if teams and not {asked.team.lower(), asked.team_key.lower()} & (teams - {""}):
        return "This team may not ask me (SESSION_ALLOWED_TEAMS)."
    if choices.session_require_auth and not _login_of_person(choices, asked):
        return "I do not know you on my server, and I have to (SESSION_REQUIRE_AUTH, LINEAR_USERS)."
    return ""


async def user(db: AsyncSession, settings: Settings, asked: Asked) -> User | None:
    """Return the server's user whose agents and logins are used; None where nobody is."""
    choices = settings.linear
    teams = pairs(choices.linear_teams)
    login = _login_of_person(choices, asked)
    login = login or teams.get(asked.team_key.lower(), "") or teams.get(asked.team.lower(), "")
    if login:
        found: User | None = await db.scalar(select(User).where(User.login == login))
        return found if found is not None and found.is_active else None
    return None if settings.is_team else await users.local(db)


def caller(user: User) -> Caller:
    """Return a user as one who makes sessions from Linear."""
    return Caller(
        user=user.id,
        login=user.login,
        scopes=scopes.of_user(is_admin=user.is_admin),
        way="linear",
        owner=users.owner(user),
    )


def _login_of_person(choices: LinearSettings, asked: Asked) -> str:
    known = pairs(choices.linear_users)
    for name in (asked.author, asked.author_email):
        if name and (login := known.get(name.lower())):
            return login
    return ""
