"""What a session changed: compared with its start or its HEAD."""

from collections.abc import Iterator
from typing import IO, Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from agent_session.server import changes
from agent_session.server.api.sessions import NOT_THERE, REFUSED
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader
from agent_session.server.parts import OfServer
from agent_session.sessions.difference import Against as AgainstWhat

router = APIRouter(prefix="/api/sessions/{name}", tags=["changes"], responses=NOT_THERE | REFUSED)
Which = Annotated[
    str | None, Query(max_length=4096, description="The project's name, directory or URL; else all.")
]
Against = Annotated[AgainstWhat, Query(description="The session's start, or each project's HEAD.")]
PIECE = 65536
"""Bytes of a patch that are sent at a time."""
PATCH: dict[int | str, dict[str, Any]] = {200: {"content": {"text/x-patch": {}}}}


class ChangedFile(BaseModel):
    """A file that differs; lines are null for one that is not a text. Modes are git's."""

    path: str
    status: str
    added: int | None
    removed: int | None
    old_mode: str
    new_mode: str


class Compared(BaseModel):
    """A project with the files that differ; `problem` is why that cannot be told."""

    source: str | None
    target: str
    files: list[ChangedFile]
    problem: str | None


@router.get("/diff")
async def diff(
    name: str, asking: Reader, parts: OfServer, against: Against = "start", project: Which = None
) -> list[Compared]:
    """Tell which files differ in each project, from the session's start or from HEAD; it need not run.

    The start of a mounted project is its HEAD when the session was made, by its reflog.
    """

    def compute() -> list[dict[str, Any]]:
        session = ownership.get(parts.engine, asking, name)
        places = changes.places_meant(session, project)
        return changes.compared(parts.engine, session, places, parts.installation.environment, against)

    return [Compared(**one) for one in await parts.threads.run(compute)]


@router.get("/diff.patch", response_class=StreamingResponse, responses=PATCH)
async def diff_patch(
    name: str, asking: Reader, parts: OfServer, against: Against = "start", project: Which = None
) -> StreamingResponse:
    """Give what differs as a patch for `git apply`; with several projects their names begin all paths."""

    def write() -> IO[bytes]:
        session = ownership.get(parts.engine, asking, name)
        places = changes.places_meant(session, project)
        return changes.patch(parts.engine, session, places, parts.installation.environment, against)

    headers = {"content-disposition": f'attachment; filename="{name}.patch"'}
    file = await parts.threads.run(write)

    def pieces() -> Iterator[bytes]:
        with file:
            yield from iter(lambda: file.read(PIECE), b"")

    return StreamingResponse(pieces(), media_type="text/x-patch", headers=headers)
