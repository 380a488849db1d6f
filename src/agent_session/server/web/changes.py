"""What a session changed in its projects, since its start or its HEAD: files with counts, their lines."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from agent_session.errors import AgentSessionError
from agent_session.server import changes as comparing
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import OfServer, Parts
from agent_session.server.web.chat import of_session
from agent_session.server.web.pages import page, piece
from agent_session.server.web.syntax import coloured
from agent_session.sessions import difference
from agent_session.sessions.difference import Against as AgainstWhat

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
LARGEST = 2_000_000
"""Bytes of a difference that are shown; the patch has all of it."""
MOST = 20_000
"""Lines that are shown."""
LONGEST = 2000
COLOURED = 5000
"""Lines that get colours, of all files together."""
Against = Annotated[AgainstWhat, Query()]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a difference; a number is None on the side that does not have it."""

    kind: str
    old: int | None
    new: int | None
    text: str
    html: str = ""
    """The text in colours."""


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
    """A project with what differs in it; `problem` where that cannot be told."""

    name: str
    files: list[File]
    whole: bool = True
    problem: str = ""


@router.get("/sessions/{name}/changes")
async def changes(name: str, asking: Reader, parts: OfServer, against: Against = "start") -> HTMLResponse:
    """Show what a session changed; the differences are asked for by the page, as they cost a moment."""
    return page(
        "changes.html", asking, tab="changes", against=against, **await of_session(parts, asking, name)
    )


@router.get("/page/sessions/{name}/changes")
async def listed(name: str, asking: Reader, parts: OfServer, against: Against = "start") -> HTMLResponse:
    """Show the differences of each project."""
    projects = await parts.threads.run(lambda: _projects(parts, asking, name, against))
    return piece("differences.html", projects=projects, name=name, against=against)


def _projects(parts: Parts, asking: Caller, name: str, against: AgainstWhat) -> list[Project]:
    session = ownership.get(parts.engine, asking, name)
    environment, found = parts.installation.environment, []
    for place in comparing.places_meant(session, None):
        try:
            with difference.compute(parts.engine, session, place, environment, against=against) as one:
                found.append(_project(place.target.name, one))
        except AgentSessionError as error:
            found.append(Project(name=place.target.name, files=[], problem=error.message))
    return found


def _project(name: str, found: difference.Difference | None) -> Project:
    if found is None:
        return Project(name=name, files=[])
    files = {
        one.path: File(path=one.path, status=one.status, added=one.added, removed=one.removed)
        for one in difference.changes(found)
    }
    content = _written(found)
    whole = len(content) < LARGEST
    for number, (path, line) in enumerate(lines(content.decode("utf-8", "replace"), list(files))):
        if number == MOST:
            whole = False
            break
        files[path].lines.append(line)
    rest = COLOURED
    for file in files.values():
        rest -= len(file.lines)
        file.lines = _in_colours(file.path if rest >= 0 else "", file.lines)
    return Project(name=name, files=list(files.values()), whole=whole)


def _in_colours(path: str, found: list[Line]) -> list[Line]:
    """Return lines in colours; what was and what is are read as two texts."""
    html: dict[int, Markup] = {}
    for kinds in ({"removed", "same"}, {"added", "same"}):
        places = [place for place, line in enumerate(found) if line.kind in kinds]
        html |= zip(places, coloured(path, [found[place].text for place in places]), strict=True)
    return [replace(line, html=html.get(place, line.html)) for place, line in enumerate(found)]


def _written(found: difference.Difference) -> bytes:
    with tempfile.TemporaryFile() as file:
        found.write(file, "--no-color", "--no-renames", "--unified=3")
        file.seek(0)
        return file.read(LARGEST)


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
