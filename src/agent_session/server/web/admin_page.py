"""The page of administrators: users with what they have, whether the server is well, the audit log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy import select

from agent_session.errors import UsageError
from agent_session.server.api.health import health
from agent_session.server.audit import Wanted
from agent_session.server.auth import users
from agent_session.server.auth.authentication import caller
from agent_session.server.auth.scopes import Caller
from agent_session.server.database.models import User
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web import listing
from agent_session.server.web.listing import Row
from agent_session.server.web.pages import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Administrator = Annotated[Caller, Security(caller, scopes=["admin"])]
FILTERS = ("user", "action", "session", "address", "status", "since", "until", "denied")
ENTRIES = 50


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user with the sessions that are theirs."""

    login: str
    is_admin: bool
    is_active: bool
    is_local: bool
    last_login: datetime | None
    rows: list[Row]

    @property
    def running(self) -> int:
        """How many of the sessions run."""
        return sum(row.running for row in self.rows)


@router.get("/admin")
async def admin(request: Request, asking: Administrator, parts: OfServer) -> HTMLResponse:
    """Show all of it; the address has the audit log's filters, and from where on it is shown."""
    given = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    try:
        wanted = Wanted.model_validate(given | {"limit": ENTRIES})
    except ValidationError as error:
        where = error.errors()[0]["loc"][0]
        raise UsageError(f"{given.get(str(where), '')[:100]!r} cannot be looked for as {where}") from None
    entries = await parts.audit.newest(wanted)
    return page(
        "admin.html",
        asking,
        people=await _people(parts),
        limits=_limits(parts),
        health=await health(parts, Response()),
        entries=entries,
        given={name: given.get(name, "") for name in FILTERS},
        older=entries[-1].id if len(entries) == ENTRIES else None,
    )


async def _people(parts: Parts) -> list[Person]:
    seen = parts.watching.sessions(lambda _owner, _name: True)
    async with parts.database.transaction() as db:
        known = (await db.scalars(select(User).order_by(User.login))).all()
    return [
        Person(
            login=one.login,
            is_admin=one.is_admin,
            is_active=one.is_active,
            is_local=one.github_id is None,
            last_login=one.last_login,
            rows=[listing.row(*found) for found in seen if found[0].owner == users.owner(one)],
        )
        for one in known
    ]


def _limits(parts: Parts) -> dict[str, str]:
    """What each user of a team may have; the local user has no limits."""
    chosen = parts.settings
    found = {
        "sessions": chosen.user_sessions,
        "of them running": chosen.user_running,
        "memory of a session": chosen.session_memory,
        "memory of the running ones": chosen.user_memory,
        "prompts a minute": chosen.user_prompts,
    }
    return {name: str(value) if value else "no limit" for name, value in found.items()}
