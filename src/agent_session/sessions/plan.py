"""A request becomes what the engine is told. No engine, clock or environment."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.agents.login import LOGIN, login_secret
from agent_session.engine.protocol import ContainerSpec, Mount, SecretFile
from agent_session.sessions.labels import LABEL_RUNS, session_labels
from agent_session.sessions.names import NETWORK, container_name, hostname, next_name, volume_names
from agent_session.sessions.request import SessionRequest
from agent_session.workspace.projects import Project


def workdir(projects: tuple[Project, ...]) -> PurePosixPath:
    """Where the agent starts: in its only project, or above several."""
    return projects[0].target if len(projects) == 1 else inside.WORKSPACE


def volume_mounts(name: str, *, read_only: bool = False) -> tuple[Mount, Mount]:
    """The mounts of a session's volumes: its home, and what is in /workspace beside the projects."""
    home, workspace = volume_names(name)
    return (
        Mount(kind="volume", source=home, target=inside.HOME, read_only=read_only),
        Mount(kind="volume", source=workspace, target=inside.WORKSPACE, read_only=read_only),
    )


def container_spec(request: SessionRequest) -> ContainerSpec:
    """The whole container of a session."""
    mounts = [
        *volume_mounts(request.name),
        Mount(kind="tmpfs", target=inside.RUNTIME),
        *(Mount(kind="bind", source=str(p.source), target=p.target) for p in request.projects),
        *(
            Mount(kind="bind", source=_real(path), target=PurePosixPath(path), read_only=True)
            for path in request.mounts
        ),
    ]
    if request.kob:
        mounts.append(Mount(kind="bind", source=_real(request.kob), target=PurePosixPath(request.kob)))
    mounts += request.protection.mounts
    if request.options.ssh_agent.startswith("/"):
        mounts.append(
            Mount(kind="bind", source=_real(Path(request.options.ssh_agent)), target=inside.SSH_AGENT)
        )
    if request.ca_bundle:
        mounts.append(
            Mount(kind="bind", source=_real(request.ca_bundle), target=inside.CA_BUNDLE, read_only=True)
        )
    environment = {
        "AGENT_SESSION_NAME": request.name,
        "AGENT_SESSION_AGENT": request.agent.name,
        "AGENT_SESSION_TITLE": request.agent.title,
        "AGENT_SESSION_PROJECTS": json.dumps([str(p.target) for p in request.projects], ensure_ascii=False),
        **request.protection.environment,
    }
    if request.options.ssh_agent:
        environment["SSH_AUTH_SOCK"] = str(inside.SSH_AGENT)
    return ContainerSpec(
        name=container_name(request.name),
        image=request.image,
        hostname=hostname(request.name),
        workdir=workdir(request.projects),
        labels=session_labels(request),
        environment=environment,
        mounts=tuple(mounts),
        secrets=(SecretFile(name=login_secret(request.agent.name), target=LOGIN),) if request.login else (),
        network=NETWORK if request.agent.server else "",
        alias=container_name(request.name)
        if request.agent.server
        else "",  # its name is another one while it replaces one
        ports=(request.agent.server.port,) if request.agent.server else (),
        memory=request.options.memory,
        cpus=request.options.cpus,
        pids=request.options.pids,
        user_namespaces=request.options.allow_user_namespaces,
        setuid=request.options.allow_setuid,
    )


def _real(path: Path) -> str:
    """What the user named, by a way without links: an engine refuses what has become one since."""
    return str(path.resolve())


def replacement_spec(request: SessionRequest, *, runs: bool) -> ContainerSpec:
    """The same under another name, for a session that has a container already; `runs`: it is to run on it."""
    spec = container_spec(request)
    labels = {**spec.labels, LABEL_RUNS: "true"} if runs else spec.labels
    return replace(spec, name=next_name(request.name), labels=labels)
