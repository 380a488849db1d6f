"""Links with which somebody without an account watches a session."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel, ConfigDict, Field

from agent_session.errors import Hint, NotFoundError
from agent_session.server.api.sessions import NOT_THERE, REFUSED
from agent_session.server.api.shapes import Message, Shape
from agent_session.server.auth import ownership, shares
from agent_session.server.auth.authentication import caller
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import OfServer, Parts

router = APIRouter(prefix="/api/sessions/{name}/shares", tags=["shares"], responses=NOT_THERE | REFUSED)
Sharer = Annotated[Caller, Security(caller, scopes=["sessions:read", "terminal"])]
"""A link shows the conversation and the terminal: who makes one may see both."""


class NewShare(BaseModel):
    """A link to be made; it lasts 15m, 1h, 7d, at most 30d."""

    model_config = ConfigDict(extra="forbid")

    lasts: str = Field(default="1h", max_length=10)


class ShareShape(Shape):
    """A link without its word."""

    id: uuid.UUID
    session: str
    created_at: datetime
    expires_at: datetime
    last_used: datetime | None


class MadeShare(ShareShape):
    """A link that was made just now, with its address: this once."""

    url: str


@router.get("")
async def list_shares(name: str, asking: Sharer, parts: OfServer) -> list[ShareShape]:
    """List your links to a session that have not ended; their addresses are kept nowhere."""
    await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    async with parts.database.transaction() as db:
        return [ShareShape.model_validate(one) for one in await shares.of_user(db, asking.user, name)]


@router.post("", status_code=201)
async def share_session(
    name: str, request: Request, asking: Sharer, parts: OfServer, wanted: NewShare | None = None
) -> MadeShare:
    """Make a link with which somebody without an account sees a session's conversation and terminal.

    Who has it can do nothing in the session. It ends by itself, and when it is taken back.
    """
    expires = shares.lasting((wanted or NewShare()).lasts)
    session = await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    async with parts.database.transaction() as db:
        share, word = await shares.create(db, asking.user, session, expires_at=expires)
    url = f"{_base(request, parts)}/share/{word}"
    return MadeShare(**ShareShape.model_validate(share).model_dump(), url=url)


@router.delete("/{id}")
async def revoke_share(name: str, id: uuid.UUID, asking: Sharer, parts: OfServer) -> Message:
    """Take a link back: it is refused from now on, and who watches with it sees no more."""
    async with parts.database.transaction() as db:
        if id not in {one.id for one in await shares.of_user(db, asking.user, name)}:
            await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
            raise NotFoundError("there is no such link", hint=Hint("share", ["--list"]))
        await shares.revoke(db, asking.user, id)
    return Message(message="Link taken back")


def _base(request: Request, parts: Parts) -> str:
    """The address by which people reach the server, without a slash at its end."""
    return (parts.settings.public_url or str(request.base_url)).rstrip("/")
