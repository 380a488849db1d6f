"""Which browsers get notifications, and at which push services.

Browsers say where to send to, and the server asks that address: only push services that are known are taken.
"""

import fnmatch
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import UsageError
from agent_session.server.auth import users
from agent_session.server.database.models import Device, PushSubscription, User
from agent_session.server.push.encryption import as_bytes


def check(endpoint: str, hosts: str) -> None:
    """Refuse an address that is not of a push service.

    Args:
        hosts: names with commas, a `*` at their begin for all below; one with http:// is taken as it stands.

    Raises UsageError.
    """
    try:
        address = urlsplit(endpoint)
        plain = address.username is None and address.password is None and not address.fragment
        origin = f"{address.scheme}://{address.netloc}"
        known = any(_is(origin, address, one.strip()) for one in hosts.split(",") if one.strip())
    except ValueError:
        plain = known = False
    if not (plain and known):
        raise UsageError(
            "that is not the address of a push service that this server knows (AGENT_SESSION_PUSH_HOSTS)"
        )


def _is(origin: str, address: SplitResult, host: str) -> bool:
    if "://" in host:
        return origin == host
    name = (address.hostname or "").lower()
    return address.scheme == "https" and address.port in {None, 443} and fnmatch.fnmatchcase(name, host)


async def keep(db: AsyncSession, device: uuid.UUID, *, endpoint: str, p256dh: str, auth: str) -> None:
    """Have a browser get notifications in this way alone. UsageError for keys that are none."""
    try:
        sizes = len(as_bytes(p256dh)), len(as_bytes(auth))
    except ValueError:
        sizes = 0, 0
    if sizes != (65, 16):
        raise UsageError("these are not the keys of a browser's subscription")
    found = await db.get(PushSubscription, device)
    if found is None:
        found = PushSubscription(device_id=device)
        db.add(found)
    found.endpoint, found.p256dh, found.auth = endpoint, p256dh, auth
    found.created_at = datetime.now(UTC)


async def drop(db: AsyncSession, device: uuid.UUID) -> None:
    """Have a browser get none."""
    if found := await db.get(PushSubscription, device):
        await db.delete(found)


async def of_owner(db: AsyncSession, owner: str) -> Sequence[PushSubscription]:
    """Return the subscriptions of the browsers that are logged in as whose sessions have that owner."""
    rows = await db.execute(
        select(PushSubscription, User)
        .join(Device, Device.id == PushSubscription.device_id)
        .join(User, User.id == Device.user_id)
        .where(User.is_active, Device.expires_at > datetime.now(UTC))
    )
    return [one for one, user in rows if users.owner(user) == owner]
