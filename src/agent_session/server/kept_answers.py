"""A request with an Idempotency-Key is done once: asked again, it gets the answer that it got."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from agent_session.errors import ConflictError, UsageError
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.connection import Database
from agent_session.server.database.models import KeptAnswer

KEPT = timedelta(hours=24)
LONGEST_KEY = 255


CUT_OFF = 0
"""The status of a request that a server's end has cut off: what it has done already, it has done."""


async def once(
    database: Database,
    caller: Caller,
    key: str | None,
    request: Any,
    work: Callable[[], Awaitable[Any]],
    *,
    again: Callable[[], Awaitable[Any]] | None = None,
) -> Any:
    """Do some work, unless a request with that key has done it: then return what that returned.

    A request that failed may be sent again, and one that a server's end cut off goes on with `again`.
    Raises ConflictError while the first one goes on, UsageError where the key was another request's.
    """
    if key is None:
        return await work()
    if not 0 < len(key) <= LONGEST_KEY:
        raise UsageError(f"an Idempotency-Key has 1 to {LONGEST_KEY} characters")
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    work_now = work
    if (found := await _taken(database, caller, key, digest)) is not None:
        if found.request != digest:
            raise UsageError("this Idempotency-Key was another request's")
        if found.status is None:
            raise ConflictError("the first request with this Idempotency-Key goes on")
        if found.status != CUT_OFF:
            return found.body
        work_now = again or work
    of_key = (KeptAnswer.user_id == caller.user, KeptAnswer.key == key)
    try:
        answer = await work_now()
    except BaseException:
        async with database.transaction() as session:
            await session.execute(delete(KeptAnswer).where(*of_key))
        raise
    async with database.transaction() as session:
        await session.execute(update(KeptAnswer).where(*of_key).values(status=200, body=answer))
    return answer


async def forget_unfinished(database: Database) -> None:
    """Let requests that a server's end has cut off be sent again, and forget answers that are old."""
    old = datetime.now(UTC) - KEPT
    async with database.transaction() as session:
        await session.execute(delete(KeptAnswer).where(KeptAnswer.created_at < old))
        unfinished = update(KeptAnswer).where(KeptAnswer.status.is_(None))
        await session.execute(unfinished.values(status=CUT_OFF))


async def _taken(database: Database, caller: Caller, key: str, digest: str) -> KeptAnswer | None:
    """Return what there is for a key; where there is nothing, take the key and return None."""
    row = KeptAnswer(user_id=caller.user, key=key, request=digest, created_at=datetime.now(UTC))
    try:
        async with database.transaction() as session:
            session.add(row)
    except IntegrityError:
        async with database.transaction() as session:
            return await session.get(KeptAnswer, (caller.user, key))
    return None
