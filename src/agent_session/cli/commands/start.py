"""`agent-session start`: the main job. No such session: make it; stopped: start it; then attach.

Who comes back to a session that runs waits for what is imported here: what only others need is imported where they need it.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent_session.cli import terminal
from agent_session.cli.commands.export import imported
from agent_session.cli.context import Invocation, directory, note, of, on_terminal
from agent_session.cli.start_options import (
    AgentName,
    AllowSecrets,
    AutoApprove,
    Build,
    Cpus,
    Detach,
    DryRun,
    Fresh,
    GithubToken,
    GitSigning,
    ImportFrom,
    Json,
    Memory,
    Name,
    Pids,
    Projects,
    SshAgent,
    Unprotected,
    UserConfig,
)
from agent_session.config import DEFAULT_SESSION, Config
from agent_session.engine import limits
from agent_session.errors import ConflictError, NotReady

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.archive import Manifest
    from agent_session.sessions.request import Options
    from agent_session.sessions.session import Session


def start(
    context: typer.Context,
    projects: Projects = None,
    agent: AgentName = None,
    name: Name = None,
    detach: Detach = None,
    build: Build = None,
    as_json: Json = False,
    fresh: Fresh = None,
    auto_approve: AutoApprove = None,
    import_from: ImportFrom = None,
    unprotected: Unprotected = None,
    user_config: UserConfig = None,
    git_signing: GitSigning = None,
    ssh_agent: SshAgent = None,
    github_token: GithubToken = None,
    memory: Memory = None,
    cpus: Cpus = None,
    pids: Pids = None,
    allow_secret_directories: AllowSecrets = None,
    dry_run: DryRun = False,
) -> None:
    """Start a session in a project's directory, or come back to it.

    A session that does not exist is made; one that is stopped is started; then this terminal is attached. Ctrl q, or
    closing the window, detaches, and the agent keeps running.

    Two more variables, for a new session: AGENT_SESSION_MOUNTS, a colon-separated list of host paths, mounted read-only at the
    same paths; AGENT_SESSION_KOB, one directory, mounted read-write at its own path, so that symbolic links in projects resolve.
    A flag beats a variable, a variable the configuration file (AGENT_SESSION_CONFIG names another), the file the default.
    """
    from agent_session.sessions import find

    invocation = of(context)
    chosen = invocation.config.with_flags(
        projects=tuple(projects) if projects else None,
        agent=agent,
        name=name,
        detach=detach,
        build=build,
        fresh=fresh,
        auto_approve=auto_approve,
        import_from=import_from,
        unprotected=tuple(unprotected) if unprotected else None,
        user_config=user_config,
        git_signing=git_signing,
        ssh_agent=ssh_agent,
        github_token=github_token,
        memory=memory,
        cpus=cpus,
        pids=pids,
        allow_secret_directories=allow_secret_directories,
    )
    config, manifest = imported(chosen)
    detached = config.detach or as_json or not on_terminal()
    session_name = config.name or DEFAULT_SESSION
    if dry_run:
        _rehearse(invocation, config, manifest, as_json=as_json)
        return
    with invocation.engine(one_question=True) as engine, invocation.locked(session_name):
        session = find.find_running(
            engine, session_name
        )  # the question may have been begun before we had the lock
        if not session:
            engine.connect_soon()
            session = find.find_session(engine, session_name)
        if session is None:
            session = _create(invocation, engine, config, manifest, screen=detached)
        else:
            _check_agrees(session, config, manifest)
            session = wake(invocation, engine, session, config, screen=detached)
        if as_json:
            from agent_session.activity import state
            from agent_session.cli import output

            terminal.tell_notes(session)
            output.print_json(output.session_json(session, state.read(engine, [session])[session.name]))
        else:
            terminal.arrive(invocation, engine, session, detached=detached, silent=config.detach)


def wake(
    invocation: Invocation, engine: "Engine", session: "Session", config: Config, *, screen: bool
) -> "Session":
    """Make sure a session that exists runs and has what crosses over at a start.

    What a container is made with (its login, its options, what is protected) cannot be changed: where that differs it gets another container.
    """
    from agent_session.sessions import find
    from agent_session.sessions.names import container_name

    settled = session.container == container_name(session.name)
    if settled and session.running and not screen and not find.needs_seed(session):
        return session

    from agent_session.cli import request
    from agent_session.sessions import endpoint, lifecycle

    if not settled:  # an update was killed just before its end
        lifecycle.settle(engine, session.name)
        session = find.get(engine, session.name)
    agent = invocation.agent(session.agent)
    wanted = request.asked_again(invocation, engine, session, agent, config)
    seed = request.seed_for(invocation, agent, wanted, fresh=config.fresh)
    if session.running:
        try:
            lifecycle.send_seed(engine, session.name, seed, screen=screen)
        except NotReady:
            session = lifecycle.wait_until_stopped(
                engine, session.name
            )  # `stop` waits for nobody: it may be ending just now
            if session.running:
                raise
        else:
            return session
    differs = (wanted.login, wanted.options, wanted.protection.digest) != (
        session.login,
        session.options,
        session.protection,
    )
    if differs or endpoint.port_taken(engine, session):
        return lifecycle.recreate(engine, session, wanted, seed, screen=screen)
    return lifecycle.resume(engine, session, seed, screen=screen)


def _rehearse(invocation: Invocation, config: Config, manifest: "Manifest | None", *, as_json: bool) -> None:
    from agent_session.cli import dry_run as rehearsal

    with invocation.engine() as engine:
        session = rehearsal.find(engine, config.name or DEFAULT_SESSION)
        if session:
            _check_agrees(session, config, manifest)
        rehearsal.tell(rehearsal.rehearse(invocation, engine, config, session, manifest), as_json=as_json)


def _check_agrees(session: "Session", config: Config, manifest: "Manifest | None") -> None:
    from agent_session.sessions import find

    if manifest:
        hint = f"agent-session start --import {shlex.quote(str(config.import_from))} -n OTHER-NAME"
        raise ConflictError(f"session '{session.name}' exists already", hint=hint)
    wanted: tuple[Path, ...] = ()
    if "projects" in config.insisted:
        from agent_session.workspace.projects import resolve_projects

        wanted = tuple(
            p.source for p in resolve_projects(config.projects, home=Path.home(), allow_secrets=True)
        )
    find.check_agrees(session, agent=config.agent if "agent" in config.insisted else None, projects=wanted)
    for how, flag in _different(session.options, config) if session.running else ():
        again = f" && agent-session start -n {session.name} {flag}" if flag else ""
        raise ConflictError(
            f"session '{session.name}' runs {how}, which only a start can change",
            hint=f"agent-session stop {session.name}{again}",
        )
    here = directory()
    if session.name == DEFAULT_SESSION and not wanted and here and not session.contains(here):
        note(
            f"session 'default' does not contain {here}; for a session of its own: agent-session start -n {_name_for(here)}"
        )


def _different(options: "Options", config: Config) -> Iterator[tuple[str, str]]:
    """How a session runs where something else is insisted on, and the flag that a start would take for it, if it is one alone."""
    if "auto_approve" in config.insisted and config.auto_approve != options.auto_approve:
        runs, no = ("without", "") if config.auto_approve else ("with", "no-")
        yield f"{runs} --auto-approve", f"--{no}auto-approve"
    if "unprotected" in config.insisted and {*config.unprotected} != {*options.unprotected}:
        yield f"with {', '.join(options.unprotected) or 'nothing'} unprotected", ""
    insisted = [name for name in limits.READERS if name in config.insisted]
    if other := [f"--{name}" for name in insisted if getattr(config, name) != getattr(options, name)]:
        yield f"with other limits ({', '.join(other)})", ""


def _create(
    invocation: Invocation, engine: "Engine", config: Config, manifest: "Manifest | None", *, screen: bool
) -> "Session":
    from agent_session.cli import request
    from agent_session.sessions import archive, lifecycle

    wanted = request.asked(invocation, engine, config, manifest)
    if engine.rootful:
        note(
            "warning: you are root, so root in the container is root on this machine; an ordinary user's sessions are safer"
        )
    seed = request.seed_for(invocation, wanted.agent, wanted, fresh=config.fresh)
    archive.discard_partial_import(engine, wanted.name)
    if config.import_from:
        return archive.create(engine, wanted, seed, Path(config.import_from).expanduser(), screen=screen)
    return lifecycle.create(engine, wanted, seed, screen=screen)


def _name_for(here: Path) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9_.-]+", "-", here.name).strip("-._")[:63] or "NAME"
