"""Files in a running session, and what it changed in its clones."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from agent_session.errors import UsageError
from agent_session.server import files
from agent_session.server.api.chat import there
from agent_session.server.api.sessions import NOT_THERE, REFUSED
from agent_session.server.api.shapes import Message
from agent_session.server.auth.authentication import Reader, Writer
from agent_session.server.parts import OfServer

router = APIRouter(prefix="/api/sessions/{name}", tags=["files"], responses=NOT_THERE | REFUSED)
Place = Annotated[str, Query(max_length=4096, description="Below /workspace, or absolute.")]
CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
BODY = {
    "requestBody": {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}


class Entry(BaseModel):
    """An entry of a directory; `modified` in seconds since 1970."""

    name: str
    kind: str
    size: int
    modified: float


@router.get("/files")
async def list_files(name: str, asking: Reader, parts: OfServer, path: Place = ".") -> list[Entry]:
    """List a directory of the session by name, its first 5,000 entries."""
    session, place = await there(parts, asking, name), files.place(path)
    found = await parts.threads.run(lambda: files.listed(parts.engine, session, place))
    return [Entry(**entry) for entry in found]


@router.get("/files/content", response_class=Response, responses=CONTENT)
async def read_file(name: str, path: Place, asking: Reader, parts: OfServer) -> Response:
    """Read a file of the session, of 10 MB at most."""
    session, place = await there(parts, asking, name), files.place(path)
    content = await parts.threads.run(lambda: files.read(parts.engine, session, place))
    disposition = {"content-disposition": "attachment"}  # an agent wrote it: no browser shall show it as ours
    return Response(content, media_type="application/octet-stream", headers=disposition)


@router.put("/files/content", openapi_extra=BODY)
async def write_file(name: str, path: Place, request: Request, asking: Writer, parts: OfServer) -> Message:
    """Write a file of the session in one step, of 10 MB at most; its directory must be there."""
    session, place = await there(parts, asking, name), files.place(path)
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > files.LARGEST:
            raise UsageError(f"a file has {files.LARGEST} bytes at most; agent-session cp takes larger ones")
    await parts.threads.run(lambda: files.write(parts.engine, session, place, bytes(content)))
    return Message(message=f"Wrote {len(content)} bytes")
