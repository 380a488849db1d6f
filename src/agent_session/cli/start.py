"""`agent-session start`: the main job. No such session: make it; stopped: start it; then attach."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_session.cli import attach, prompts, render
from agent_session.cli.export import imported
from agent_session.cli.invocation import Invocation, directory, note, of, on_terminal
from agent_session.config import DEFAULT_AGENT, DEFAULT_SESSION, Config
from agent_session.errors import ConflictError, ImageMissing, ProjectRefused

if TYPE_CHECKING:
    from agent_session import seed
    from agent_session.agents import Agent
    from agent_session.archive import Manifest
    from agent_session.engine import Engine
    from agent_session.images import Workshop
    from agent_session.plan import Options, SessionRequest
    from agent_session.sessions import Session

CHOSEN = ("auto_approve", "unprotected", "taught", "git_signing", "github_token")

Projects = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROJECT]...",
        help="Directories for the agent, each at /workspace/<its name>; for a new session the current one. "
        "[env: AGENT_SESSION_PROJECTS, colon-separated]",
        show_default=False,
    ),
]
AgentName = Annotated[
    str | None,
    typer.Option(
        "-a",
        "--agent",
        metavar="AGENT",
        help="The agent. [env: AGENT_SESSION_AGENT] [default: asked on a terminal, otherwise claude]",
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        metavar="NAME",
        help="The session's name. [env: AGENT_SESSION_NAME] [default: default]",
        show_default=False,
    ),
]
Detach = Annotated[
    bool | None,
    typer.Option(
        "-d",
        "--detach",
        help="Do not attach: return when the agent's screen is up and print the session's name. [env: AGENT_SESSION_DETACH=1]",
        show_default=False,
    ),
]
Build = Annotated[
    bool | None,
    typer.Option(
        "--build/--no-build",
        help="Build a missing image without asking, or never. [env: AGENT_SESSION_BUILD=1 or 0]",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Like --detach, and print the session as JSON.")]
Fresh = Annotated[
    bool | None,
    typer.Option(
        "--fresh", help="A new conversation, not the last one. [env: AGENT_SESSION_FRESH=1]", show_default=False
    ),
]
AutoApprove = Annotated[
    bool | None,
    typer.Option(
        "--auto-approve/--no-auto-approve",
        help="The agent does not ask before it acts. [env: AGENT_SESSION_AUTO_APPROVE=1]",
        show_default=False,
    ),
]
ImportFrom = Annotated[
    str | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help="A new session with what `agent-session export` saved: its agent, name and projects, unless others are given. "
        "[env: AGENT_SESSION_IMPORT_FROM]",
        show_default=False,
    ),
]
Unprotected = Annotated[
    list[str] | None,
    typer.Option(
        "--unprotected",
        metavar="PATH",
        help="A path in a project that the agent may change although this machine could run what it puts there: .vscode, "
        ".git/hooks, ... Repeatable. [env: AGENT_SESSION_UNPROTECTED, colon-separated]",
        show_default=False,
    ),
]
Taught = Annotated[
    bool | None,
    typer.Option(
        "--taught/--no-taught",
        help="Copies of your own instructions, settings, commands and skills for the agent come along (the default), or do not. "
        "[env: AGENT_SESSION_TAUGHT=1 or 0]",
        show_default=False,
    ),
]
GitSigning = Annotated[
    bool | None,
    typer.Option(
        "--git-signing/--no-git-signing",
        help="Commits in the session are signed with your SSH key, by your ssh-agent: whatever the agent commits is signed as you. "
        "Implies --ssh-agent. [env: AGENT_SESSION_GIT_SIGNING=1]",
        show_default=False,
    ),
]
SshAgent = Annotated[
    bool | None,
    typer.Option(
        "--ssh-agent/--no-ssh-agent",
        help="The session may use your ssh-agent while it runs: log in, push and sign as you wherever its keys are known, "
        "though not read them. [env: AGENT_SESSION_SSH_AGENT=1]",
        show_default=False,
    ),
]
GithubToken = Annotated[
    bool | None,
    typer.Option(
        "--github-token/--no-github-token",
        help="The session gets your GitHub token (GH_TOKEN, GITHUB_TOKEN or gh's login): the agent can read it and do all that "
        "it allows. [env: AGENT_SESSION_GITHUB_TOKEN=1]",
        show_default=False,
    ),
]
AllowSecrets = Annotated[
    bool | None,
    typer.Option(
        "--allow-secret-directories",
        help="Insist on a PROJECT that holds keys or logins. [env: AGENT_SESSION_ALLOW_SECRET_DIRECTORIES=1]",
        show_default=False,
    ),
]


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
    taught: Taught = None,
    git_signing: GitSigning = None,
    ssh_agent: SshAgent = None,
    github_token: GithubToken = None,
    allow_secret_directories: AllowSecrets = None,
) -> None:
    """Start a session in a project's directory, or come back to it.

    A session that does not exist is made; one that is stopped is started; then this terminal is attached. Ctrl q, or
    closing the window, detaches, and the agent keeps running.

    Two more variables, for a new session: AGENT_SESSION_MOUNTS, a colon-separated list of host paths, mounted read-only at the
    same paths; AGENT_SESSION_KOB, one directory, mounted read-write at its own path, so that symbolic links in projects resolve.
    A flag beats a variable, a variable the configuration file (AGENT_SESSION_CONFIG names another), the file the default.
    """
    from agent_session import sessions

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
        taught=taught,
        git_signing=git_signing,
        ssh_agent=ssh_agent,
        github_token=github_token,
        allow_secret_directories=allow_secret_directories,
    )
    config, manifest = imported(chosen)
    detached = config.detach or as_json or not on_terminal()
    session_name = config.name or DEFAULT_SESSION
    with invocation.engine() as engine, invocation.locked(session_name):
        session = sessions.find(engine, session_name)
        if session is None:
            session = _create(invocation, engine, config, manifest, screen=detached)
        elif manifest:
            hint = f"agent-session start --import {shlex.quote(str(config.import_from))} -n OTHER-NAME"
            raise ConflictError(f"session '{session_name}' exists already", hint=hint)
        else:
            _check_agrees(session, config)
            session = wake(invocation, engine, session, config, screen=detached)
        for line in session.notes:
            note(line)
        if as_json:
            render.print_json(render.session_json(session))
        elif detached:
            print(session.name)
            if not config.detach:
                note(f"no terminal here to attach; the session runs: agent-session attach {session.name}")
        else:
            attach.enter(invocation, engine, session)


def wake(invocation: Invocation, engine: "Engine", session: "Session", config: Config, *, screen: bool) -> "Session":
    """Make sure a session that exists runs and has what crosses over at a start.

    What a container is made with (its login, its options, what is protected) cannot be changed: where that differs it gets another container.
    """
    from agent_session import sessions

    if session.running and not screen and not sessions.needs_seed(session):
        return session
    agent = invocation.agents().get(session.agent)
    wanted = asked_again(invocation, engine, session, agent, config)
    seed = seed_for(invocation, agent, wanted, fresh=config.fresh)
    if session.running:
        sessions.deliver(engine, session.name, seed, screen=screen)
        return session
    if (wanted.login, wanted.options, wanted.protection.digest) != (session.login, session.options, session.protection):
        return sessions.recreate(engine, session, wanted, seed, screen=screen)
    return sessions.resume(engine, session, seed, screen=screen)


def asked_again(
    invocation: Invocation, engine: "Engine", session: "Session", agent: "Agent | None", config: Config
) -> "SessionRequest":
    """The request that would make this session today, on the image that it has."""
    from agent_session import plan, sessions, trust
    from agent_session.agents import Agent

    options = _options(invocation, config, session.options)
    request = sessions.request_again(
        session,
        agent or Agent(name=session.agent, title=session.agent, folder=Path("/")),
        image=session.image,
        ca_bundle=trust.bundle(invocation.environment) if trust.trusts_more(invocation.environment) else None,
        rootful=engine.rootful,
        login=engine.secret_id(plan.login_secret(session.agent)),
    )
    return sessions.protected(replace(request, options=options), strict="unprotected" in config.insisted)


def _options(invocation: Invocation, config: Config, had: "Options | None") -> "Options":
    """What a session is to be started with: what it had, but for what flags and variables insist on."""
    from agent_session import identity, plan

    chosen = {name: getattr(config, name) for name in CHOSEN if had is None or name in config.insisted}
    options = replace(had or plan.Options(), **chosen)
    lent = config.ssh_agent if had is None or "ssh_agent" in config.insisted else bool(had.ssh_agent)
    lent = lent or options.git_signing
    return replace(options, ssh_agent=identity.agent_socket(invocation.environment) if lent else "")


def _check_agrees(session: "Session", config: Config) -> None:
    from agent_session import sessions
    from agent_session.projects import resolve_projects

    wanted: tuple[Path, ...] = ()
    if "projects" in config.insisted:
        wanted = tuple(p.source for p in resolve_projects(config.projects, home=Path.home(), allow_secrets=True))
    sessions.check_agrees(session, agent=config.agent if "agent" in config.insisted else None, projects=wanted)
    if session.running and "auto_approve" in config.insisted and config.auto_approve != session.options.auto_approve:
        flag = "--auto-approve" if config.auto_approve else "--no-auto-approve"
        raise ConflictError(
            f"session '{session.name}' runs {'without' if config.auto_approve else 'with'} --auto-approve, which only a start can change",
            hint=f"agent-session stop {session.name} && agent-session start -n {session.name} {flag}",
        )
    if session.running and "unprotected" in config.insisted and {*config.unprotected} != {*session.options.unprotected}:
        has = ", ".join(session.options.unprotected) or "nothing"
        raise ConflictError(
            f"session '{session.name}' runs with {has} unprotected, which only a start can change",
            hint=f"agent-session stop {session.name}",
        )
    here = directory()
    if session.name == DEFAULT_SESSION and not wanted and here and not session.contains(here):
        note(
            f"session 'default' does not contain {here}; for a session of its own: agent-session start -n {_name_for(here)}"
        )


def _create(
    invocation: Invocation, engine: "Engine", config: Config, manifest: "Manifest | None", *, screen: bool
) -> "Session":
    from agent_session import archive, plan, sessions, trust
    from agent_session.agents import choose
    from agent_session.projects import resolve_mounts, resolve_projects

    name = plan.check_name(config.name or DEFAULT_SESSION)
    home, allowed = Path.home(), config.allow_secret_directories
    here = directory()
    if not config.projects and not here:
        raise ProjectRefused(".", "the current directory has been removed")
    projects = resolve_projects(config.projects or (here or ".",), home=home, allow_secrets=allowed)
    if manifest:
        projects = archive.retargeted(projects, manifest)
    mounts = resolve_mounts(config.mounts, home=home, allow_secrets=allowed)
    kob = resolve_mounts((config.kob,), home=home, allow_secrets=allowed)[0] if config.kob else None
    agents = invocation.agents()
    workshop = invocation.workshop()
    chosen = config.agent
    if chosen is None:
        chosen = _pick(invocation, engine, workshop, agents) if on_terminal() and len(agents) > 1 else DEFAULT_AGENT
    agent = choose(agents, chosen)
    request = plan.SessionRequest(
        name=name,
        agent=agent,
        image="",
        projects=projects,
        mounts=mounts,
        kob=kob,
        ca_bundle=workshop.ca_bundle if trust.trusts_more(invocation.environment) else None,
        rootful=engine.rootful,
        options=_options(invocation, config, None),
        login=engine.secret_id(plan.login_secret(agent.name)),
    )
    request = sessions.protected(request, strict="unprotected" in config.insisted)
    for line in request.protection.notes:
        note(line)
    request = replace(request, image=image_for(engine, workshop, agent, config))
    if engine.rootful:
        note(
            "warning: you are root, so root in the container is root on this machine; an ordinary user's sessions are safer"
        )
    seed = seed_for(invocation, agent, request, fresh=config.fresh)
    if config.import_from:
        return archive.create(engine, request, seed, Path(config.import_from).expanduser(), screen=screen)
    return sessions.create(engine, request, seed, screen=screen)


def _pick(invocation: Invocation, engine: "Engine", workshop: "Workshop", agents: "dict[str, Agent]") -> str:
    from agent_session import images, plan, seed

    built = engine.images()
    choices = []
    for agent in agents.values():
        lacks = [] if images.reference(engine, workshop, agent) in built else ["not built"]
        stored = engine.secret_id(plan.login_secret(agent.name)) is not None
        lacks += ["no login found"] if seed.login_note(agent, invocation.environment, stored=stored) else []
        choices.append(prompts.Choice(name=agent.name, title=agent.title, state=", ".join(lacks) or "ready"))
    return prompts.pick_agent(choices, DEFAULT_AGENT if DEFAULT_AGENT in agents else choices[0].name)


def image_for(engine: "Engine", workshop: "Workshop", agent: "Agent", config: Config) -> str:
    """The agent's current image, built if that may be."""
    from agent_session import images

    if images.is_current(engine, workshop, agent):
        return images.reference(engine, workshop, agent)
    if config.build is None and on_terminal() and prompts.confirm("Image not built. Build now?", default=True):
        config = config.with_flags(build=True)
    if not config.build:
        raise ImageMissing(agent.name)
    with render.build_progress(f"Building {agent.title}") as tell:
        return images.ensure_image(engine, workshop, agent, tell=tell)


def seed_for(invocation: Invocation, agent: "Agent | None", request: "SessionRequest", *, fresh: bool) -> "seed.Seed":
    """What crosses over now, after a word to the user about what does not."""
    from agent_session import identity, seed, timezone

    if agent is None:
        note("the session's agent is not installed here any more; it gets no login from this machine")
        return seed.EMPTY
    if line := seed.login_note(agent, invocation.environment, stored=request.login is not None):
        note(line)
    said = {"FRESH": fresh, "AUTO_APPROVE": request.options.auto_approve}
    extra = {f"AGENT_SESSION_{name}": "1" for name, yes in said.items() if yes}
    options, environment = request.options, invocation.environment
    if options.ssh_agent == identity.NO_AGENT:
        note("no ssh-agent runs here (SSH_AUTH_SOCK), so the session has none; eval $(ssh-agent) && ssh-add")
    gathered = seed.gather(
        agent if options.taught else replace(agent, taught=()),
        environment,
        timezone=timezone.name(environment),
        extra=extra,
        identity=identity.read(environment, signing=options.git_signing, github=options.github_token),
    )
    for line in gathered.notes:
        note(line)
    return gathered


def _name_for(here: Path) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9_.-]+", "-", here.name).strip("-._")[:63] or "NAME"
