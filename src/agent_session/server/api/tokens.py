"""API tokens of the caller, and the audit log for administrators."""

from typing import Annotated

from fastapi import APIRouter, Query

from agent_session.errors import UsageError
from agent_session.server.api.shapes import AuditEntry, MadeToken, Message, NewToken, Problem, Token
from agent_session.server.audit import Wanted
from agent_session.server.auth import tokens
from agent_session.server.auth.authentication import Manager, allowed
from agent_session.server.database.models import User
from agent_session.server.errors import Forbidden, Unauthenticated
from agent_session.server.parts import OfServer

router = APIRouter(tags=["tokens"])


@router.get("/api/tokens")
async def list_tokens(asking: Manager, parts: OfServer) -> list[Token]:
    """List your tokens; their words are kept nowhere."""
    async with parts.database.transaction() as session:
        return [Token.model_validate(token) for token in await tokens.of_user(session, asking.user)]


@router.post("/api/tokens", status_code=201, responses={400: {"model": Problem}, 409: {"model": Problem}})
async def create_token(wanted: NewToken, asking: Manager, parts: OfServer) -> MadeToken:
    """Make a token; it cannot do more than what you ask with. Its word is in this answer alone."""
    if lacking := [scope for scope in wanted.scopes if scope not in asking.scopes]:
        raise Forbidden(lacking[0])
    if asking.session and wanted.session != asking.session:
        raise UsageError(f"your token is for the session '{asking.session}' alone")
    async with parts.database.transaction() as session:
        user = await session.get(User, asking.user)
        if user is None:
            raise Unauthenticated
        token, word = await tokens.create(
            session, user, wanted.name,
            scopes=wanted.scopes, expires_at=tokens.expiry(wanted.expires), only=wanted.session,
        )  # fmt: skip
    return MadeToken(**Token.model_validate(token).model_dump(), token=word)


@router.delete("/api/tokens/{token_name}", responses={404: {"model": Problem}})
async def remove_token(token_name: str, asking: Manager, parts: OfServer) -> Message:
    """Remove one of your tokens; it is refused from now on."""
    async with parts.database.transaction() as session:
        await tokens.remove(session, asking.user, token_name)
    return Message(message="Token removed successfully")


@router.get("/api/audit", dependencies=[allowed("admin")])
async def audit(parts: OfServer, wanted: Annotated[Wanted, Query()]) -> list[AuditEntry]:
    """List the newest calls that changed something or were denied; `before` an entry's id: older ones."""
    return [AuditEntry.model_validate(entry) for entry in await parts.audit.newest(wanted)]
