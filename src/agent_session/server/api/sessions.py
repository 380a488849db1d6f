"""Sessions of the caller: created, listed, started, stopped and removed."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic_core import to_json

from agent_session.activity import shapes, state
from agent_session.server import agents, sessions
from agent_session.server.agent_logins import delivery
from agent_session.server.api.session_shapes import NewSession, SessionShape
from agent_session.server.api.shapes import Message, Problem
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Deleter, Reader, Writer
from agent_session.server.auth.scopes import Caller
from agent_session.server.kept_answers import once
from agent_session.server.parts import OfServer, Parts
from agent_session.sessions import find
from agent_session.sessions.errors import SessionNotFound
from agent_session.sessions.session import Session

NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem}, 409: {"model": Problem}, 502: {"model": Problem}, 503: {"model": Problem},
}  # fmt: skip
router = APIRouter(prefix="/api/sessions", tags=["sessions"])
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@router.get("", response_model=list[SessionShape])
async def list_sessions(asking: Reader, parts: OfServer) -> Response:
    """List your sessions by name, those of the command line included."""
    sees = ownership.sees(asking)

    def look() -> list[dict[str, Any]]:
        found = [one for one in find.list_sessions(parts.engine) if sees(one.owner, one.name)]
        states = state.read(parts.engine, found)
        return [shape(one, states[one.name]) for one in found]

    # A model for each, or Python's own encoder, would take most of the time.
    return Response(await parts.threads.run(lambda: to_json(look())), media_type="application/json")


@router.post("", responses=REFUSED)
async def create_session(
    asking: Writer, parts: OfServer, wanted: NewSession | None = None, key: Key = None
) -> SessionShape:
    """Make a session and wait until it is up.

    Sent again with the same Idempotency-Key, it makes no second one, even where the server ended meanwhile.
    """
    new = wanted or NewSession()

    async def make(*, reuse: bool = False) -> dict[str, Any]:
        agent = await agents.chosen(parts.database, parts.settings, asking, new.agent)
        asked = sessions.Wanted(
            title=new.title or "", name=new.name, agent=agent, projects=tuple(new.projects),
            mount=new.mount, auto_approve=new.auto_approve, model=new.model or "", key=key, reuse=reuse,
        )  # fmt: skip
        notes: list[str] = []
        with parts.metrics.start_seconds.time():
            made = await create(parts, asking, asked, notes.append)
        parts.metrics.starts.labels("done").inc()
        return await _now(parts, made) | {"notes": notes}

    request = ["create", new.model_dump()]
    return SessionShape(
        **await once(parts.database, asking, key, request, make, again=partial(make, reuse=True))
    )


async def create(parts: Parts, asking: Caller, wanted: sessions.Wanted, report: sessions.Report) -> Session:
    """Make a session within what its user may have."""
    wanted = sessions.named(asking, wanted)
    memory = parts.limits.session_memory if asking.owner else 0
    async with (
        parts.limits.one_more(parts, asking, wanted.name or ""),
        parts.roots.lent(parts, asking, wanted.projects, mount=wanted.mount) as projects,
    ):
        limited = replace(wanted, projects=projects, memory=memory)
        made, _ = await parts.threads.run(
            lambda: sessions.create(parts.engine, parts.installation, asking, limited, report)
        )
    return made


@router.get("/{name}", responses=NOT_THERE)
async def get_session(name: str, asking: Reader, parts: OfServer) -> SessionShape:
    """Tell about one session."""
    session = await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    return SessionShape(**await _now(parts, session))


@router.delete("/{name}", responses=NOT_THERE | REFUSED)
async def delete_session(
    name: str, asking: Deleter, parts: OfServer, discard_work: Annotated[bool, Query()] = False
) -> Message:
    """Stop a session and remove it with its conversation; directories of this machine are not touched.

    Where it holds work that exists nowhere else that is 409, unless `discard_work`; it is stopped, then.
    """

    try:
        session = await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    except SessionNotFound:
        await parts.threads.run(lambda: sessions.remove_rest(parts.engine, parts.installation, asking, name))
        return Message(message="Session deleted successfully")
    await delivery.read_back(parts, session)

    def remove() -> Session:
        sessions.remove(parts.engine, parts.installation, session, discard_work=discard_work)
        return session

    parts.watching.forget(await parts.threads.run(remove))
    return Message(message="Session deleted successfully")


@router.post("/{name}/start", responses=NOT_THERE | REFUSED)
async def start_session(name: str, asking: Writer, parts: OfServer) -> SessionShape:
    """Start a stopped session and wait until it is up; one that runs stays as it is."""
    return SessionShape(**await _now(parts, await running(parts, asking, name)))


@router.post("/{name}/stop", responses=NOT_THERE | REFUSED)
async def stop_session(name: str, asking: Writer, parts: OfServer) -> SessionShape:
    """Stop a session; all that it holds stays."""

    session = await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    if session.running:
        await delivery.read_back(parts, session)
        session = await parts.threads.run(lambda: sessions.stop(parts.engine, parts.installation, session))
    return SessionShape(**await _now(parts, session))


async def running(parts: Parts, asking: Any, name: str) -> Session:
    """Return the caller's session of that name, which is started where it does not run."""

    session = await parts.threads.run(lambda: ownership.get(parts.engine, asking, name))
    if session.running:
        return session
    login = await agents.login_of(parts.database, parts.settings, session)
    async with parts.limits.one_more(parts, asking, name):
        return await parts.threads.run(
            lambda: sessions.ensure_running(parts.engine, parts.installation, session, login)
        )


def shape(session: Session, now: state.State) -> dict[str, Any]:
    """Return a session as the API tells it: what `ls --json` tells, and more."""
    told = shapes.session(session) | {"state": shapes.agent_state(now, question=True)}
    return told | {
        "id": session.name,
        "title": session.title or session.name,
        "created_at": told["created"],
    }


async def _now(parts: Parts, session: Session) -> dict[str, Any]:
    found = await parts.threads.run(lambda: state.read(parts.engine, [session])[session.name])
    parts.watching.note(session, found)
    return shape(session, found)
