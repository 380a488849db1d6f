"""A session's home and workspace in volumes of another name: for a fork, and for another name.

A volume is marked until its session exists, as for an import: what a killed command leaves is removed by the
next start of that name.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from agent_session import inside, sanitize
from agent_session.engine.command import OneOff
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, EngineRefused, Hint
from agent_session.host.signals import uninterrupted
from agent_session.sessions import archive, clone_runs, find, lifecycle, plan, review, user_note
from agent_session.sessions.labels import session_labels
from agent_session.sessions.names import (
    branch_name,
    check_name,
    container_name,
    importing_name,
    volume_names,
)
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.wish import Wish
from agent_session.workspace import session_worktrees

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.readiness import Report
    from agent_session.sessions.session import Session

FROM = "/run/agent-session-from"
SECONDS = 6 * 3600
MOST_TOLD = 20
COPY = 'cp -a --reflink=auto "$1/home/." /home/agent/; cp -a --reflink=auto "$1/workspace/." /workspace/'


def decide(
    engine: Engine, session: "Session", new: str, wish: Wish, installation: "Installation", *, forked: bool
) -> SessionRequest:
    """The request for the same session under a new name; nothing is changed.

    A fork publishes no port, because the first session has it. Raises BadName, and ConflictError where there
    is a session of that name.
    """
    from agent_session.sessions import request as requests

    if find.look(engine, check_name(new)):
        raise ConflictError(f"session '{new}' exists already", hint=Hint("ls"))
    options = replace(session.options, publish=()) if forked else session.options
    workdir = plan.workdir(session)
    as_new = replace(session, name=new, options=options)
    asked = requests.again(engine, wish, installation, as_new)
    usual = plan.workdir(replace(asked, workdir=None))
    return replace(
        asked,
        created=None if forked else session.created,
        workdir=workdir if workdir != usual else None,
    )


def fork(
    engine: Engine,
    session: "Session",
    request: SessionRequest,
    seed: "Seed",
    *,
    screen: bool,
    report: "Report",
) -> "Session":
    """Make a second session with all that the first one holds; the first is only read.

    Raises EngineRefused where the copy fails, and as lifecycle.create does. Nothing half-made is left.
    """
    return _filled(
        engine,
        session,
        request,
        report,
        lambda whole: lifecycle.create(engine, whole, seed, screen=screen, report=report),
    )


def rename(
    engine: Engine,
    session: "Session",
    request: SessionRequest,
    environment: Mapping[str, str],
    *,
    report: "Report",
) -> "Session":
    """Give a stopped session another name; the old one goes when the new one is whole.

    Raises EngineRefused where the copy fails: then the session is as it was.
    """

    def make(whole: SessionRequest) -> "Session":
        engine.create(plan.container_spec(whole))
        engine.remove_volume(importing_name(whole.name))
        return find.get(engine, whole.name)

    made = _filled(engine, session, request, report, make)
    from agent_session.sessions import clones

    with uninterrupted():
        review.rename(session.name, made.name)
        user_note.rename(session, made.name)
        session_worktrees.rename(session.projects, session.name, made.name)
        lifecycle.remove(engine, session.name)
        clones.release(session.name, session.clones, environment)
    return made


def _filled(
    engine: Engine,
    session: "Session",
    request: SessionRequest,
    report: "Report",
    make: Callable[[SessionRequest], "Session"],
) -> "Session":
    """Fill the volumes of a new session, then `make` it. Whatever fails, nothing of it is left."""
    archive.discard_partial_import(engine, request.name)
    labels, made = session_labels(request), []
    try:
        with uninterrupted():
            for volume in (importing_name(request.name), *volume_names(request.name)):
                archive.create_volume(engine, request.name, volume, labels)
                made.append(volume)
        for line in _copy(engine, session, request):
            report(line)
        return make(_whole(engine, session, request))
    except BaseException:
        with uninterrupted():
            if engine.container(container_name(request.name)) is None:
                for volume in reversed(made):
                    engine.remove_volume(volume)
        raise


def _copy(engine: Engine, session: "Session", request: SessionRequest) -> list[str]:
    """Copy both volumes; returns lines about what is missing of a session that goes on meanwhile."""
    home, workspace = volume_names(session.name)
    sources = (
        Mount(kind="volume", source=home, target=PurePosixPath(FROM) / "home", read_only=True),
        Mount(kind="volume", source=workspace, target=PurePosixPath(FROM) / "workspace", read_only=True),
    )
    own = "" if request.created else f"; rm -f {inside.SERVER_PASSWORD}"  # each session's server has its own
    script = f"{'' if session.running else 'set -e; '}{COPY}{own}"
    command = ("/bin/sh", "-c", script, "copy", FROM)
    mounts = (*plan.volume_mounts(request.name), *sources)
    done = engine.run_one_off(OneOff(image=session.image, command=command, mounts=mounts), timeout=SECONDS)
    full = b"No space left on device" in done.stderr
    if full or (done.exit_code and not session.running):
        said = sanitize.message(done.message, 300)
        raise EngineRefused(f"what session '{session.name}' holds could not be copied: {said}")
    lines = sanitize.lines(done.stderr.decode("utf-8", "replace")).splitlines()
    return [f"not copied: {sanitize.line(line.removeprefix('cp: '))}" for line in lines[:MOST_TOLD]]


def _whole(engine: Engine, session: "Session", request: SessionRequest) -> SessionRequest:
    """The request with clones that borrow nothing any more, and have the new session's branch."""
    for clone in request.clones:
        orders = [{"do": "whole"}] if clone.objects else []
        for order in (*orders, {"do": "rename", "from": branch_name(session.name)}):
            done = clone_runs.run(engine, session.image, request.name, clone, order, read_only=False)
            clone_runs.check(done, clone, session.name)
    return replace(request, clones=tuple(replace(clone, objects=None) for clone in request.clones))
