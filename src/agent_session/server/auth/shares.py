"""Links with which somebody without an account watches one session: read only, and for a time."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import Hint, NotFoundError, UsageError
from agent_session.server.auth import secret_words, users
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import Share, User
from agent_session.sessions.session import Session

LASTS = re.compile(r"(\d{1,5})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=30)
TOLD = timedelta(minutes=1)
"""How old the kept time of the last use may become."""


class ShareOver(NotFoundError):
    """A link that has ended, was taken back, or never was one."""

    code = "share-over"

    def __init__(self) -> None:
        super().__init__("this link has ended, or was taken back; whoever gave it to you can make a new one")


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Somebody with a link: `caller` can read its one session, and nothing else."""

    caller: Caller
    session: str
    began: datetime
    giver: str
    expires_at: datetime


def lasting(text: str) -> datetime:
    """Read how long a link lasts (15m, 1h, 7d); return when it ends. UsageError."""
    lasts = LASTS.fullmatch(text)
    time = timedelta(**{UNITS[lasts[2]]: int(lasts[1])}) if lasts else timedelta(0)
    if not timedelta(0) < time <= LONGEST:
        raise UsageError(
            f"{text!r} is not a time that a link lasts (15m, 1h, 7d; 30d at most)",
            hint=Hint("share", ["NAME", "--for", "1h"]),
        )
    return datetime.now(UTC) + time


async def create(
    db: AsyncSession, user: uuid.UUID, session: Session, *, expires_at: datetime
) -> tuple[Share, str]:
    """Make a link to a session, and return it with its word, which is never shown again."""
    word = secret_words.new()
    now = datetime.now(UTC)
    await db.execute(delete(Share).where(Share.expires_at < now))
    share = Share(
        digest=secret_words.digest(word), user_id=user, session=session.name, began=session.created,
        created_at=now, expires_at=expires_at,
    )  # fmt: skip
    db.add(share)
    await db.flush()
    return share, word


async def find(db: AsyncSession, word: str) -> Watcher:
    """Return who watches with a word. Raises ShareOver."""
    now = datetime.now(UTC)
    row = (
        await db.execute(
            select(Share, User)
            .join(User, User.id == Share.user_id)
            .where(Share.digest == secret_words.digest(word), Share.expires_at > now, User.is_active)
        )
    ).first()
    if row is None:
        raise ShareOver
    share, user = row[0], row[1]
    if share.last_used is None or now - share.last_used > TOLD:
        share.last_used = now
    caller = Caller(
        user=user.id, login=user.login, scopes=frozenset(), way=f"share {share.id}",
        owner=users.owner(user), session=share.session,
    )  # fmt: skip
    return Watcher(
        caller=caller, session=share.session, began=share.began, giver=user.login,
        expires_at=share.expires_at,
    )  # fmt: skip


async def of_user(db: AsyncSession, user: uuid.UUID, session: str | None = None) -> Sequence[Share]:
    """Return the links of a user that have not ended, the newest first; of one session where it is named."""
    query = select(Share).where(Share.user_id == user, Share.expires_at > datetime.now(UTC))
    if session is not None:
        query = query.where(Share.session == session)
    return (await db.scalars(query.order_by(Share.created_at.desc()))).all()


async def revoke(db: AsyncSession, user: uuid.UUID, share: uuid.UUID) -> None:
    """Take a link back; it is refused from now on. NotFoundError where the user has no such link."""
    found = await db.get(Share, share)
    if found is None or found.user_id != user:
        raise NotFoundError("there is no such link", hint=Hint("share", ["--list"]))
    await db.delete(found)
