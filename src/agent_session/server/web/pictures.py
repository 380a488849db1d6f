"""Pictures that an agent has made in its session, as the conversation shows them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from agent_session.errors import NotFoundError
from agent_session.server import files
from agent_session.server.api.chat import there
from agent_session.server.auth.authentication import Reader
from agent_session.server.parts import OfServer

router = APIRouter(include_in_schema=False)
KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)
"""How the files of each kind begin. SVG is none of them: it is a program as well."""
ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp")


@router.get("/page/sessions/{name}/picture")
async def picture(
    name: str, asking: Reader, parts: OfServer, path: Annotated[str, Query(max_length=4096)] = ""
) -> Response:
    """Give a picture of the session, which by its first bytes is one."""
    session, place = await there(parts, asking, name), files.place(path)
    content = await parts.threads.run(lambda: files.read(parts.engine, session, place))
    kind = next((kind for begin, kind in KINDS if content.startswith(begin)), None)
    if kind is None or (kind == "image/webp" and content[8:12] != b"WEBP"):
        raise NotFoundError("that is not a picture")
    return Response(content, media_type=kind, headers={"cache-control": "no-cache"})
