"""`agent-session start`: the main job. No such session: make it; stopped: start it; then attach.

Who comes back to a session that runs waits for what is imported here: what only others need is imported where they need it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from agent_session.cli import terminal
from agent_session.cli.context import Invocation, note, of, on_terminal
from agent_session.cli.options import DetachKey
from agent_session.cli.start_options import (
    AgentName,
    AllowSecrets,
    AllowSetuid,
    AllowUserNamespaces,
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

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.request import Wish


def start(
    context: typer.Context,
    projects: Projects = None,
    agent: AgentName = None,
    name: Name = None,
    detach: Detach = None,
    detach_key: DetachKey = None,
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
    allow_user_namespaces: AllowUserNamespaces = None,
    allow_setuid: AllowSetuid = None,
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
    invocation = of(context)
    config = invocation.config.with_flags(
        projects=tuple(projects) if projects else None,
        agent=agent,
        name=name,
        detach=detach,
        detach_key=detach_key,
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
        allow_user_namespaces=allow_user_namespaces,
        allow_setuid=allow_setuid,
        allow_secret_directories=allow_secret_directories,
    )
    from agent_session.cli import wishes
    from agent_session.sessions import find

    detached = config.detach or as_json or not on_terminal()
    wish = wishes.wish(config, screen=detached)
    if wish.import_from:
        from agent_session.sessions import archive

        wish = archive.wished(wish, note)
    with invocation.engine(one_question=not dry_run) as engine:
        known = find.find_all(engine)
        if not (config.name or config.projects or wish.import_from):
            wish = replace(wish, name=wishes.name_here(known, config))
        if dry_run:
            _print_plan(invocation, engine, wish, as_json=as_json)
            return
        _, session = wishes.fulfil(invocation, engine, wish, build=config.build, found=known.get(wish.name))
        if as_json:
            from agent_session.activity import shapes, state
            from agent_session.cli import output

            output.print_json(shapes.session(session, state.read(engine, [session])[session.name]))
        else:
            terminal.arrive(invocation, engine, session, config=config, detached=detached)


def _print_plan(invocation: Invocation, engine: "Engine", wish: "Wish", *, as_json: bool) -> None:
    """What a start would do. Nothing is locked, asked or changed."""
    from agent_session.cli import dry_run as printed
    from agent_session.sessions import dry_run, start

    step = start.decide(engine, wish, invocation.installation)
    seed = start.seed_for(step, wish, invocation.installation)
    for line in (*getattr(step, "notes", ()), *(seed.notes if seed else ())):
        note(line)
    if wish.import_from:
        note(f"what is in {wish.import_from} is unpacked by agent-session start only")
    printed.tell(dry_run.describe(engine, step, seed), as_json=as_json)
