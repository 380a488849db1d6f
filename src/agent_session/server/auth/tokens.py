"""API tokens: for programs, with scopes, an expiry and perhaps one session that they are for."""

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import ConflictError, Hint, NotFoundError, UsageError
from agent_session.server.auth import secret_words
from agent_session.server.auth.scopes import SCOPES
from agent_session.server.database.models import ApiToken, User

TOLD = timedelta(minutes=1)
"""How old the kept time of the last use may become."""
LASTS = re.compile(r"(\d{1,5})([hdw])")
UNITS = {"h": "hours", "d": "days", "w": "weeks"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,99}")


async def create(
    session: AsyncSession,
    user: User,
    name: str,
    *,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    only: str | None = None,
) -> tuple[ApiToken, str]:
    """Make a token of that name and return it with its word, which is never shown again.

    Raises UsageError, and ConflictError where the user has a token of that name.
    """
    wanted = list(dict.fromkeys(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise UsageError(
            f"{unknown[0]!r} is not a scope; there are: {', '.join(SCOPES)}",
            hint=Hint("token", ["create", name, "--scope", SCOPES[0]]),
        )
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a token: use letters, digits, spaces and '_.-', at most 100",
            hint=Hint("token", ["create", "ci"]),
        )
    if await session.scalar(select(ApiToken).where(ApiToken.user_id == user.id, ApiToken.name == name)):
        raise ConflictError(f"there is a token {name!r} already", hint=Hint("token", ["rm", name]))
    word = secret_words.new(secret_words.TOKEN)
    token = ApiToken(
        digest=secret_words.digest(word),
        user_id=user.id,
        name=name,
        scopes=wanted,
        session=only,
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    return token, word


def expiry(text: str | None) -> datetime | None:
    """Read how long a token lasts (12h, 30d, 8w); None: it does not expire. UsageError."""
    if not text or text == "never":
        return None
    lasts = LASTS.fullmatch(text)
    if not lasts or not int(lasts[1]):
        raise UsageError(
            f"{text!r} is not a time that a token lasts (12h, 30d, 8w, never)",
            hint=Hint("token", ["create", "NAME", "--expires", "30d"]),
        )
    return datetime.now(UTC) + timedelta(**{UNITS[lasts[2]]: int(lasts[1])})


async def find(session: AsyncSession, word: str) -> tuple[ApiToken, User] | None:
    """Return the token of a word and its user; None for a word that is not valid (any more)."""
    now = datetime.now(UTC)
    row = (
        await session.execute(
            select(ApiToken, User)
            .join(User, User.id == ApiToken.user_id)
            .where(ApiToken.digest == secret_words.digest(word), User.is_active)
        )
    ).first()
    if row is None:
        return None
    token, user = row[0], row[1]
    if token.expires_at is not None and token.expires_at <= now:
        return None
    if token.last_used is None or now - token.last_used > TOLD:
        token.last_used = now
    return token, user


async def of_user(session: AsyncSession, user: uuid.UUID) -> Sequence[ApiToken]:
    """Return the tokens of a user by name."""
    found = await session.scalars(select(ApiToken).where(ApiToken.user_id == user).order_by(ApiToken.name))
    return found.all()


async def remove(session: AsyncSession, user: uuid.UUID, name: str) -> None:
    """Remove a token; it is refused from now on. NotFoundError where there is none."""
    found = await session.scalar(select(ApiToken).where(ApiToken.user_id == user, ApiToken.name == name))
    if found is None:
        raise NotFoundError(f"there is no token {name!r}", hint=Hint("token", ["ls"]))
    await session.delete(found)
