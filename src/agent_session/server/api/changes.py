"""What a session changed: compared, fetched as a branch, applied, reviewed; as on the command line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from agent_session.activity import shapes
from agent_session.server import changes, roots
from agent_session.server.api.sessions import NOT_THERE, REFUSED
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader, Writer
from agent_session.server.auth.scopes import Caller
from agent_session.server.parts import OfServer, Parts
from agent_session.sessions import apply as applying
from agent_session.sessions import fetch as fetching
from agent_session.sessions import review as reviews
from agent_session.sessions.difference import Against as AgainstWhat
from agent_session.sessions.session import Session
from agent_session.workspace import verdict
from agent_session.workspace.clones import Clone
from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.review import Change

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


class FetchWanted(BaseModel):
    """What to fetch; without anything all clones, each into the directory it was made from."""

    model_config = ConfigDict(populate_by_name=True)

    project: str | None = Field(default=None, max_length=4096)
    branch: str | None = Field(default=None, max_length=255, description="Here; else agent/NAME.")
    of: str = Field(default="", max_length=255, alias="from", description="The session's branch.")
    uncommitted: bool = False
    force: bool = False
    into: str | None = Field(default=None, max_length=4096, description="Another repository.")


class FetchedBranch(BaseModel):
    """A branch of the server's machine that has a session's commits now."""

    model_config = ConfigDict(extra="allow")

    into: str
    branch: str
    tip: str
    commits: int
    not_committed: int


class ApplyWanted(BaseModel):
    """What to apply to a working tree, as uncommitted changes."""

    project: str | None = Field(default=None, max_length=4096)
    only: list[str] = Field(default=[], max_length=1000, description="Files or directories.")
    into: str | None = Field(default=None, max_length=4096)
    dry_run: bool = False


class AppliedFiles(BaseModel):
    """What was changed, or with `dry_run` would be."""

    model_config = ConfigDict(extra="allow")

    into: str
    written: list[str]
    unchanged: list[str]


class Differing(BaseModel):
    """A path that differs and that this machine runs by itself; `lines` as `diff -u` where asked for."""

    model_config = ConfigDict(extra="allow")

    path: str
    kind: str
    why: str
    when: str
    lines: list[str] | None = None
    kept: str | None = Field(default=None, description="Where it is now that it was put back.")


class ReviewShape(BaseModel):
    """What differs in a session's mounted projects; nothing is known where that was not `recorded`."""

    recorded: bool
    complete: bool
    changes: list[Differing]


class Verdict(BaseModel):
    """`accept` calls paths right, `revert` puts back what was there; without paths all of them."""

    do: Literal["accept", "revert"]
    paths: list[str] = Field(default=[], max_length=1000)


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


@router.post("/fetch")
async def fetch(
    name: str, asking: Writer, parts: OfServer, wanted: FetchWanted | None = None
) -> list[FetchedBranch]:
    """Bring the session's commits into repositories of the server's machine, as the branch agent/NAME.

    It need not run. A branch that would lose commits is a 409, unless `force`.
    """
    new = wanted or FetchWanted()
    async with _directories(parts, asking, name, new.project, new.into) as (session, places):

        def work() -> list[dict[str, Any]]:
            done = []
            for clone, into in places:
                wish = fetching.FetchWish(
                    into=into, branch=new.branch, of=new.of, uncommitted=new.uncommitted, force=new.force
                )
                found = fetching.fetch(parts.engine, session, clone, wish, parts.installation.environment)
                done.append(shapes.fetched(found))
            return done

        return [FetchedBranch(**one) for one in await parts.threads.run(work)]


@router.post("/apply")
async def apply(
    name: str, asking: Writer, parts: OfServer, wanted: ApplyWanted | None = None
) -> list[AppliedFiles]:
    """Bring what the session changed since its start into working trees, uncommitted; or 409 and nothing.

    A team's users may where directories may be mounted.
    """
    new = wanted or ApplyWanted()
    if asking.owner and not parts.settings.allow_mounts:
        await parts.threads.run(
            lambda: ownership.get(parts.engine, asking, name)
        )  # others' sessions are a 404
        raise ProjectRefused(
            new.into or name, "directories are not written to here; fetch brings a branch", hint=roots.ASK
        )
    async with _directories(parts, asking, name, new.project, new.into) as (session, places):

        def work() -> list[dict[str, Any]]:
            done = []
            for clone, into in places:
                found = applying.apply(
                    parts.engine, session, clone, into, parts.installation.environment,
                    paths=new.only, dry_run=new.dry_run,
                )  # fmt: skip
                done.append(shapes.applied(found))
            return done

        return [AppliedFiles(**one) for one in await parts.threads.run(work)]


@asynccontextmanager
async def _directories(
    parts: Parts, asking: Caller, name: str, project: str | None, into: str | None
) -> AsyncIterator[tuple[Session, list[tuple[Clone, Path]]]]:
    """Give a session and where its clones' work goes; a team's users have their own directories alone."""

    def look() -> tuple[Session, list[tuple[Clone, Path]]]:
        session = ownership.get(parts.engine, asking, name)
        return session, changes.destinations(session, project, into)

    session, places = await parts.threads.run(look)
    typed = [str(path) for _, path in places]
    async with parts.roots.lent(parts, asking, typed, mount=False) as given:
        yield session, [(clone, Path(path)) for (clone, _), path in zip(places, given, strict=True)]


@router.get("/review")
async def review(
    name: str, asking: Reader, parts: OfServer, lines: Annotated[bool, Query()] = False
) -> ReviewShape:
    """Tell what differs in the session's mounted projects and is run by this machine without being asked."""

    def look() -> ReviewShape:
        session = ownership.get(parts.engine, asking, name)
        found = reviews.look(session)
        told = [_told(session, one, lines=lines) for one in found.changes]
        return ReviewShape(recorded=found.recorded, complete=found.complete, changes=told)

    return await parts.threads.run(look)


@router.post("/review")
async def decide(name: str, asking: Writer, parts: OfServer, wanted: Verdict) -> ReviewShape:
    """Accept what differs, or put back what was there; what is there now is moved, and never lost.

    404 for a path at which nothing differs, 409 where something cannot be put back. The answer has what was
    done.
    """

    def work() -> ReviewShape:
        session = ownership.get(parts.engine, asking, name)
        found = reviews.look(session)
        meant = list(found.changes)
        if wanted.paths:
            meant = reviews.chosen(session, meant, wanted.paths, Path("/"))
        kept: dict[Any, Path | None] = {}
        with parts.installation.locked(name, waiting=lambda _holder: None):
            if wanted.do == "revert":
                kept = {one.change: one.kept for one in verdict.revert(name, meant)}
            else:
                verdict.accept(name, meant)
        told = [_told(session, one, kept=kept.get(one)) for one in meant]
        return ReviewShape(recorded=found.recorded, complete=found.complete, changes=told)

    return await parts.threads.run(work)


def _told(session: Session, change: Change, *, lines: bool = False, kept: Path | None = None) -> Differing:
    shown = reviews.shown(reviews.host_directories(session), change)
    told = shapes.review_change(change, shown_as=shown)
    return Differing(
        **told,
        lines=list(reviews.lines(session, change)) if lines else None,
        kept=str(kept) if kept else None,
    )
