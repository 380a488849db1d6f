"""Notifications of one's own browser: switched on and off by the browser that gets them."""

import uuid

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from agent_session.errors import UsageError
from agent_session.server.api.shapes import Message, Problem
from agent_session.server.auth.authentication import Reader
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import PushSubscription
from agent_session.server.parts import OfServer
from agent_session.server.push import subscriptions, vapid

router = APIRouter(prefix="/api/push", tags=["notifications"], responses={400: {"model": Problem}})


class Keys(BaseModel):
    """A browser's keys, as it gives them."""

    p256dh: str = Field(min_length=80, max_length=100)
    auth: str = Field(min_length=20, max_length=30)


class Subscription(BaseModel):
    """What PushSubscription.toJSON() of a browser gives; `expirationTime` is passed over."""

    model_config = ConfigDict(extra="ignore")

    endpoint: str = Field(min_length=10, max_length=2000)
    keys: Keys


class Push(BaseModel):
    """Whether this browser gets notifications, and the key with which it asks its push service for them."""

    key: str
    on: bool


@router.get("")
async def get_push(asking: Reader, parts: OfServer) -> Push:
    """Tell whether this browser gets notifications."""
    async with parts.database.transaction() as db:
        found = await db.get(PushSubscription, asking.device) if asking.device else None
    key = await parts.threads.run(lambda: vapid.public(parts.settings))
    return Push(key=key, on=found is not None)


@router.put("")
async def switch_push_on(wanted: Subscription, asking: Reader, parts: OfServer) -> Message:
    """Have this browser get notifications: of sessions that wait, have failed or have finished."""
    subscriptions.check(wanted.endpoint, parts.settings.push_hosts)
    device = _device(asking)
    async with parts.database.transaction() as db:
        keys = wanted.keys
        await subscriptions.keep(db, device, endpoint=wanted.endpoint, p256dh=keys.p256dh, auth=keys.auth)
    return Message(message="This browser gets notifications")


@router.delete("")
async def switch_push_off(asking: Reader, parts: OfServer) -> Message:
    """Have this browser get no notifications any more."""
    device = _device(asking)
    async with parts.database.transaction() as db:
        await subscriptions.drop(db, device)
    return Message(message="This browser gets no notifications")


def _device(asking: Caller) -> uuid.UUID:
    if asking.device is None:
        raise UsageError("only a browser that is logged in can get notifications, not a program with a token")
    return asking.device
