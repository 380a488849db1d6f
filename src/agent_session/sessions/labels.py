"""The labels of a session's container, the only database of sessions, written and read here.

Anybody can make labels, so one that does not fit counts for nothing.
"""

import json
from dataclasses import asdict, fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from agent_session import inside, sanitize
from agent_session.engine import published
from agent_session.engine.container import Container
from agent_session.host import clock
from agent_session.sessions.names import NAME, container_name, next_name
from agent_session.sessions.options import Options
from agent_session.sessions.session import Session
from agent_session.workspace.clones import Clone
from agent_session.workspace.projects import Project, is_place
from agent_session.workspace.protection import read_label

if TYPE_CHECKING:
    from agent_session.sessions.request import SessionRequest

LONGEST_TITLE = 200
KEPT = 2048
"""Labels whose reading is kept: a server reads all of them at each list."""
LABEL_NAME = "agent-session.name"
LABEL_AGENT = "agent-session.agent"
LABEL_PROJECTS = "agent-session.projects"
LABEL_CLONES = "agent-session.clones"
LABEL_MOUNTS = "agent-session.mounts"
LABEL_WORKDIR = "agent-session.workdir"
"""On a container whose projects have been others: where its agent starts."""
LABEL_OPTIONS = "agent-session.options"
LABEL_LOGIN = "agent-session.stored-login"
LABEL_LOGIN_ON_DISK = "agent-session.login"
"""On a container of an older agent-session: it was made with the login as a secret, which is on the disk."""
LABEL_CREATED = "agent-session.created"
LABEL_PROTECTION = "agent-session.protection"
LABEL_NETWORK = "agent-session.network"
LABEL_WITHOUT_LOGINS = "agent-session.without-logins"
"""On a container made of an archive: no login is sent to it."""
LABEL_OWNER = "agent-session.owner"
"""On a container that a server made for one of its users; without it, it is the user's who runs Podman."""
LABEL_ACCOUNT = "agent-session.account"
"""The number of the server's agent whose login the session has; never the login."""
LABEL_TITLE = "agent-session.title"
LABEL_INSTRUCTIONS = "agent-session.instructions"
"""For the session's agent, beside the user's own."""
LABEL_RUNS = "agent-session.runs"
"""On a container made to take another one's place: its session is to run then."""


def session_labels(request: "SessionRequest") -> dict[str, str]:
    """What the container says of itself; no secret ever."""
    mounts = [{"path": str(path), "read_only": True} for path in request.mounts]
    if request.kob:
        mounts.append({"path": str(request.kob), "read_only": False})
    cloned = {LABEL_CLONES: json.dumps([_clone(one) for one in request.clones], ensure_ascii=False)}
    started_in = {LABEL_WORKDIR: str(request.workdir)} if request.workdir else {}
    without_logins = {LABEL_WITHOUT_LOGINS: "1"} if request.without_logins else {}
    owned = {LABEL_OWNER: request.owner} if request.owner else {}
    accounted = {LABEL_ACCOUNT: request.account} if request.account else {}
    titled = {LABEL_TITLE: request.title} if request.title else {}
    instructed = {LABEL_INSTRUCTIONS: request.instructions} if request.instructions else {}
    return {
        **without_logins,
        **started_in,
        **owned,
        **accounted,
        **titled,
        **instructed,
        LABEL_NAME: request.name,
        LABEL_AGENT: request.agent.name,
        LABEL_PROJECTS: json.dumps([_project(one) for one in request.projects], ensure_ascii=False),
        **(cloned if request.clones else {}),
        LABEL_MOUNTS: json.dumps(mounts, ensure_ascii=False),
        LABEL_OPTIONS: json.dumps(asdict(request.options)),
        LABEL_LOGIN: request.login or "",
        LABEL_PROTECTION: request.protection.label(),
        LABEL_CREATED: request.created.isoformat() if request.created else "",
    }


def read(container: Container) -> Session | None:
    """None for a container that is not ours: by its labels, and by a name that goes with them."""
    name = container.labels.get(LABEL_NAME)
    if name is None or not NAME.fullmatch(name):
        return None
    if container.name not in {container_name(name), next_name(name)}:
        return None
    mounts = _mounts(container.labels.get(LABEL_MOUNTS, ""))
    protection, held = read_label(container.labels.get(LABEL_PROTECTION, ""))
    options = read_options(container.labels.get(LABEL_OPTIONS, ""))
    chosen = {published.parse(one).inside for one in options.publish}
    return Session(
        name=name,
        agent=container.labels.get(LABEL_AGENT, "?"),
        status="running" if container.running else "stopped",
        projects=_projects(container.labels.get(LABEL_PROJECTS, "")),
        created=_created(container),
        container=container.name,
        image=container.image,
        started=container.started,
        ended=container.ended,
        id=container.id,
        pid=container.pid,
        networks=container.networks,
        ports={port: host for port, host in container.ports.items() if port not in chosen},
        clones=_clones(container.labels.get(LABEL_CLONES, "[]")),
        workdir=_workdir(container.labels.get(LABEL_WORKDIR, "")),
        mounts=tuple(path for path, read_only in mounts if read_only),
        kob=next((path for path, read_only in mounts if not read_only), None),
        options=options,
        login=container.labels.get(LABEL_LOGIN) or None,
        login_on_disk=bool(container.labels.get(LABEL_LOGIN_ON_DISK)),
        owner=container.labels.get(LABEL_OWNER, ""),
        account=container.labels.get(LABEL_ACCOUNT, ""),
        instructions=container.labels.get(LABEL_INSTRUCTIONS, ""),
        title=sanitize.line(container.labels.get(LABEL_TITLE, ""), LONGEST_TITLE),
        without_logins=bool(container.labels.get(LABEL_WITHOUT_LOGINS)),
        protection=protection,
        placeholders=held,
    )


def unreadable(container: Container) -> list[str]:
    """List the labels that were edited by hand, whose content `read` ignores."""
    label = container.labels.get
    wrong = [] if label(LABEL_AGENT) else [LABEL_AGENT]
    for name, count in (
        (LABEL_PROJECTS, len(_projects(label(LABEL_PROJECTS, "")))),
        (LABEL_MOUNTS, len(_mounts(label(LABEL_MOUNTS, "")))),
    ):
        said = _json(label(name, ""))
        if not isinstance(said, list) or len(said) != count:
            wrong.append(name)
    options = _json(label(LABEL_OPTIONS, ""))
    known = json.loads(json.dumps(asdict(read_options(label(LABEL_OPTIONS, "")))))
    if not isinstance(options, dict) or any(
        known[key] != value for key, value in options.items() if key in known
    ):
        wrong.append(LABEL_OPTIONS)
    if not read_label(label(LABEL_PROTECTION, ""))[0]:
        wrong.append(LABEL_PROTECTION)
    return wrong


@lru_cache(maxsize=KEPT)
def read_options(label: str) -> Options:
    """What a label says; labels can be made by anybody: what does not fit counts as not chosen."""
    try:
        said = json.loads(label)
    except ValueError:
        return Options()
    chosen: dict[str, Any] = {}
    for field in fields(Options):
        value = said.get(field.name) if isinstance(said, dict) else None
        value = tuple(value) if isinstance(value, list) else value
        if type(value) is type(field.default) and not (isinstance(value, int | float) and value < 0):
            chosen[field.name] = value
    chosen["label"] = tuple(one for one in chosen.get("label", ()) if isinstance(one, str) and "=" in one)
    chosen["publish"] = _ports(chosen.get("publish", ()))
    return Options(**chosen)


def _ports(said: tuple[object, ...]) -> tuple[str, ...]:
    """Those that read as published ports."""
    try:
        return tuple(published.read(str(one)) for one in said if one != published.NONE)
    except ValueError:
        return ()


def _json(label: str) -> object:
    try:
        return json.loads(label)
    except ValueError:
        return None


def _created(container: Container) -> datetime:
    return clock.parse(container.labels.get(LABEL_CREATED, "")) or container.created


def _workdir(label: str) -> PurePosixPath | None:
    place = PurePosixPath(label)
    return place if place == inside.WORKSPACE or is_place(place) else None


@lru_cache(maxsize=KEPT)
def _mounts(label: str) -> tuple[tuple[Path, bool], ...]:
    try:
        return tuple((Path(item["path"]), bool(item["read_only"])) for item in json.loads(label))
    except (ValueError, TypeError, KeyError):
        return ()


def _clone(clone: Clone) -> dict[str, str]:
    return {
        "source": clone.source,
        "target": str(clone.target),
        "branch": clone.branch,
        "start": clone.start,
        "base": clone.base,
        "objects": str(clone.objects or ""),
    }


@lru_cache(maxsize=KEPT)
def _clones(label: str) -> tuple[Clone, ...]:
    """As `_projects`: what does not read as clones is none."""
    try:
        return tuple(
            Clone(
                target=PurePosixPath(one["target"]),
                objects=Path(one["objects"]) if one["objects"] else None,
                **{name: str(one[name]) for name in ("source", "branch", "start", "base")},
            )
            for one in json.loads(label)
        )
    except (ValueError, TypeError, KeyError):
        return ()


def _project(project: Project) -> dict[str, Any]:
    mode = {"read_only": True} if project.read_only else {}
    return {"source": str(project.source), "target": str(project.target), **mode}


@lru_cache(maxsize=KEPT)
def _projects(label: str) -> tuple[Project, ...]:
    """Labels can be made by anybody: what does not read as projects is none."""
    try:
        return tuple(
            Project(
                source=Path(item["source"]),
                target=PurePosixPath(item["target"]),
                read_only=bool(item.get("read_only")),
            )
            for item in json.loads(label)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return ()
