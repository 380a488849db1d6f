"""A request becomes what the engine is told. No engine, clock or environment."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session import inside
from agent_session.engine import network_mode, published
from agent_session.engine.container import ContainerSpec, Mount
from agent_session.sessions.labels import LABEL_RUNS, session_labels
from agent_session.sessions.names import NETWORK, container_name, hostname, next_name, volume_names
from agent_session.sessions.request import SessionRequest
from agent_session.workspace.clones import Clone

if TYPE_CHECKING:
    from agent_session.sessions.session import Session


def workdir(of: "Session | SessionRequest") -> PurePosixPath:
    """Where the agent starts: in its only project, or above several; its conversations belong there."""
    if of.workdir:
        return of.workdir
    places = [*(one.target for one in of.projects), *(one.target for one in of.clones)]
    return places[0] if len(places) == 1 else inside.WORKSPACE


def volume_mounts(name: str, *, read_only: bool = False) -> tuple[Mount, Mount]:
    """The mounts of a session's volumes: its home, and what is in /workspace beside the projects."""
    home, workspace = volume_names(name)
    return (
        Mount(kind="volume", source=home, target=inside.HOME, read_only=read_only),
        Mount(kind="volume", source=workspace, target=inside.WORKSPACE, read_only=read_only),
    )


def container_spec(request: SessionRequest) -> ContainerSpec:
    """The whole container of a session."""
    server, options = request.agent.server, request.options
    name, offline = container_name(request.name), options.network == network_mode.NONE
    return ContainerSpec(
        name=name,
        image=request.image,
        hostname=hostname(request.name),
        workdir=workdir(request),
        labels=session_labels(request),
        environment=_environment(request),
        mounts=_mounts(request),
        network=NETWORK if server and not offline else "",
        alias=name if server and not offline else "",  # its name is another one while it replaces one
        ports=(server.port,) if server and not offline else (),
        published=tuple(map(published.parse, options.publish)),
        offline=offline,
        memory=options.memory,
        cpus=options.cpus,
        pids=options.pids,
        shm_size=options.shm_size,
        user_namespaces=options.allow_user_namespaces,
        setuid=options.allow_setuid,
    )


def _mounts(request: SessionRequest) -> tuple[Mount, ...]:
    """The session's volumes and projects, what protects the projects, and what is lent to the session."""
    socket = request.options.ssh_agent
    kob, bundle = request.kob, request.ca_bundle
    return (
        *volume_mounts(request.name),
        Mount(kind="tmpfs", target=inside.RUNTIME),
        *(
            Mount(kind="bind", source=str(one.source), target=one.target, read_only=one.read_only)
            for one in request.projects
        ),
        *borrowed(request.clones),
        *(_bind(path, PurePosixPath(path), read_only=True) for path in request.mounts),
        *([_bind(kob, PurePosixPath(kob))] if kob else []),
        *request.protection.mounts,
        *([_bind(Path(socket), inside.SSH_AGENT)] if socket.startswith("/") else []),
        *([_bind(bundle, inside.CA_BUNDLE, read_only=True)] if bundle else []),
    )


def borrowed(clones: Sequence[Clone]) -> tuple[Mount, ...]:
    """The directories of objects that clones borrow, read-only."""
    return tuple(
        Mount(kind="bind", source=str(one.objects), target=one.borrowed, read_only=True)
        for one in clones
        if one.objects
    )


def _places(request: SessionRequest) -> list[PurePosixPath]:
    return [*(one.target for one in request.projects), *(one.target for one in request.clones)]


def _environment(request: SessionRequest) -> dict[str, str]:
    projects = list(map(str, _places(request)))
    return {
        "AGENT_SESSION_NAME": request.name,
        "AGENT_SESSION_AGENT": request.agent.name,
        "AGENT_SESSION_TITLE": request.agent.title,
        "AGENT_SESSION_PROJECTS": json.dumps(projects, ensure_ascii=False),
        **request.protection.environment,
        **({"SSH_AUTH_SOCK": str(inside.SSH_AGENT)} if request.options.ssh_agent else {}),
    }


def _bind(path: Path, target: PurePosixPath, *, read_only: bool = False) -> Mount:
    """Mount what the user named by a way without links: an engine refuses what has become one since."""
    return Mount(kind="bind", source=str(path.resolve()), target=target, read_only=read_only)


def replacement_spec(request: SessionRequest, *, runs: bool) -> ContainerSpec:
    """The same under another name, for a session that has a container already; `runs`: it is to run on it."""
    spec = container_spec(request)
    labels = {**spec.labels, LABEL_RUNS: "true"} if runs else spec.labels
    return replace(spec, name=next_name(request.name), labels=labels)
