"""What a session changed in its clones since its start: files with counts, their lines, a patch."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from agent_session.errors import AgentSessionError
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web.chat import of_session
from agent_session.server.web.pages import page, piece
from agent_session.sessions import difference

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
LARGEST = 2_000_000
"""Bytes of a difference that are shown; the patch has all of it."""
MOST = 20_000
"""Lines that are shown."""
LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a difference; a number is None on the side that does not have it."""

    kind: str
    old: int | None
    new: int | None
    text: str


@dataclass(kw_only=True)
class File:
    """A file that differs."""

    path: str
    status: str
    added: int | None
    removed: int | None
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Project:
    """A clone with what differs in it; `problem` where that cannot be told."""

    name: str
    files: list[File]
    whole: bool = True
    problem: str = ""


@router.get("/sessions/{name}/changes")
async def changes(name: str, asking: Reader, parts: OfServer) -> HTMLResponse:
    """Show what a session changed; the differences are asked for by the page, as they cost a moment."""
    return page("changes.html", asking, tab="changes", **await of_session(parts, asking, name))


@router.get("/page/sessions/{name}/changes")
async def listed(name: str, asking: Reader, parts: OfServer) -> HTMLResponse:
    """Show the differences of each project."""
    projects = await parts.threads.run(lambda: _projects(parts, asking, name))
    return piece("differences.html", projects=projects, name=name)


@router.get("/sessions/{name}/changes.patch")
async def patch(name: str, asking: Reader, parts: OfServer) -> Response:
    """Give all differences as a patch."""

    def whole() -> bytes:
        session = ownership.get(parts.engine, asking, name)
        found = b""
        for clone in session.clones:
            with difference.compute(parts.engine, session, clone, parts.installation.environment) as one:
                found += _written(one, None) if one else b""
        return found

    content = await parts.threads.run(whole)
    headers = {"content-disposition": f'attachment; filename="{name}.patch"'}
    return Response(content, media_type="text/x-patch", headers=headers)


def _projects(parts: Parts, asking: Caller, name: str) -> list[Project]:
    session = ownership.get(parts.engine, asking, name)
    found = []
    for clone in session.clones:
        try:
            with difference.compute(parts.engine, session, clone, parts.installation.environment) as one:
                found.append(_project(clone.target.name, one))
        except AgentSessionError as error:
            found.append(Project(name=clone.target.name, files=[], problem=error.message))
    return found


def _project(name: str, found: difference.Difference | None) -> Project:
    if found is None:
        return Project(name=name, files=[])
    files = {
        one.path: File(path=one.path, status=one.status, added=one.added, removed=one.removed)
        for one in difference.changes(found)
    }
    content = _written(found, LARGEST)
    whole = len(content) < LARGEST
    for number, (path, line) in enumerate(lines(content.decode("utf-8", "replace"), list(files))):
        if number == MOST:
            whole = False
            break
        files[path].lines.append(line)
    return Project(name=name, files=list(files.values()), whole=whole)


def _written(found: difference.Difference, most: int | None) -> bytes:
    with tempfile.TemporaryFile() as file:
        found.write(file, "--no-color", "--no-renames", "--binary" if most is None else "--unified=3")
        file.seek(0)
        return file.read() if most is None else file.read(most)


def lines(text: str, paths: list[str]) -> Iterator[tuple[str, Line]]:
    """Read a difference as git writes it; `paths` are those of its files, in its order."""
    place, old, new, inside = -1, 0, 0, False
    for row in text.split("\n"):
        if row.startswith("diff --git "):
            place, inside = place + 1, False
        elif row.startswith("@@ ") and 0 <= place < len(paths):
            before, after = row.split(" ")[1:3]
            old, new, inside = _first(before), _first(after), True
            yield paths[place], Line(kind="place", old=None, new=None, text=row[:LONGEST])
        elif inside and row[:1] in {"+", "-", " "}:
            kind = {"+": "added", "-": "removed", " ": "same"}[row[0]]
            numbers = (None if kind == "added" else old, None if kind == "removed" else new)
            yield paths[place], Line(kind=kind, old=numbers[0], new=numbers[1], text=row[1 : LONGEST + 1])
            old, new = old + (kind != "added"), new + (kind != "removed")


def _first(part: str) -> int:
    """The first line's number in "-12,7"."""
    return int(part[1:].partition(",")[0])
