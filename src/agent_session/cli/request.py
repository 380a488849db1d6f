"""What a session is asked to be: choices, and what lies on this machine, become a SessionRequest and a seed."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.agents.login import login_secret
from agent_session.cli import output, questions
from agent_session.cli.context import Invocation, directory, note, on_terminal
from agent_session.config import DEFAULT_AGENT, DEFAULT_SESSION, Config
from agent_session.errors import ImageMissing, ProjectRefused

if TYPE_CHECKING:
    from agent_session.agents import seed
    from agent_session.agents.catalog import Agent
    from agent_session.engine.protocol import Engine
    from agent_session.images.build import Workshop
    from agent_session.sessions.archive import Manifest
    from agent_session.sessions.request import Options, SessionRequest
    from agent_session.sessions.session import Session
    from agent_session.workspace.projects import Project

CHOSEN = (
    "auto_approve",
    "unprotected",
    "user_config",
    "git_signing",
    "github_token",
    "memory",
    "cpus",
    "pids",
)


def asked(
    invocation: Invocation, engine: "Engine", config: Config, manifest: "Manifest | None"
) -> "SessionRequest":
    """The request for a new session, after questions on a terminal. All of it is checked before an image is built."""
    request = wished(invocation, engine, config, manifest)
    return replace(request, image=image_for(engine, invocation.workshop(), request.agent, config))


def wished(
    invocation: Invocation, engine: "Engine", config: Config, manifest: "Manifest | None"
) -> "SessionRequest":
    """The same, but for the image, which may have to be built first. Nothing is changed."""
    from agent_session.host import ca_certificates
    from agent_session.sessions import lifecycle
    from agent_session.sessions.names import check_name
    from agent_session.sessions.request import SessionRequest

    name = check_name(config.name or DEFAULT_SESSION)
    projects, mounts, kob = _directories(config, manifest)
    workshop = invocation.workshop()
    agent = _agent(invocation, engine, workshop, config)
    request = SessionRequest(
        name=name,
        agent=agent,
        image="",
        projects=projects,
        mounts=mounts,
        kob=kob,
        ca_bundle=workshop.ca_bundle if ca_certificates.trusts_more(invocation.environment) else None,
        rootful=engine.rootful,
        options=_options(invocation, engine, config, None),
        login=engine.secret_id(login_secret(agent.name)),
    )
    request = lifecycle.protected(request, strict="unprotected" in config.insisted)
    for line in request.protection.notes:
        note(line)
    return request


def _directories(
    config: Config, manifest: "Manifest | None"
) -> "tuple[tuple[Project, ...], tuple[Path, ...], Path | None]":
    """Projects, read-only mounts and the one at its own path."""
    from agent_session.sessions import archive
    from agent_session.workspace.projects import resolve_mounts, resolve_projects

    home, allowed = Path.home(), config.allow_secret_directories
    here = directory()
    if not config.projects and not here:
        raise ProjectRefused(".", "the current directory has been removed")
    projects = resolve_projects(config.projects or (here or ".",), home=home, allow_secrets=allowed)
    if manifest:
        projects = archive.retargeted(projects, manifest)
    mounts = resolve_mounts(config.mounts, home=home, allow_secrets=allowed)
    kob = resolve_mounts((config.kob,), home=home, allow_secrets=allowed)[0] if config.kob else None
    return projects, mounts, kob


def _agent(invocation: Invocation, engine: "Engine", workshop: "Workshop", config: Config) -> "Agent":
    from agent_session.agents.catalog import choose

    agents = invocation.agents()
    chosen = config.agent
    if chosen is None:
        chosen = (
            _pick(invocation, engine, workshop, agents)
            if on_terminal() and len(agents) > 1
            else DEFAULT_AGENT
        )
    return choose(agents, chosen)


def asked_again(
    invocation: Invocation, engine: "Engine", session: "Session", agent: "Agent | None", config: Config
) -> "SessionRequest":
    """The request that would make this session today, on the image that it has."""
    from agent_session.agents.catalog import Agent
    from agent_session.host import ca_certificates
    from agent_session.sessions import lifecycle

    options = _options(invocation, engine, config, session.options)
    request = lifecycle.request_again(
        session,
        agent or Agent(name=session.agent, title=session.agent, folder=Path("/")),
        image=session.image,
        ca_bundle=ca_certificates.bundle(invocation.environment)
        if ca_certificates.trusts_more(invocation.environment)
        else None,
        rootful=engine.rootful,
        login=engine.secret_id(login_secret(session.agent)),
    )
    return lifecycle.protected(replace(request, options=options), strict="unprotected" in config.insisted)


def _options(invocation: Invocation, engine: "Engine", config: Config, had: "Options | None") -> "Options":
    """What a session is to be started with: what it had, but for what flags and variables insist on; a word on limits that are none."""
    from agent_session.host import git_identity
    from agent_session.sessions.request import Options, limit_notes

    chosen = {name: getattr(config, name) for name in CHOSEN if had is None or name in config.insisted}
    options = replace(had or Options(), **chosen)
    for line in limit_notes(options, engine.unenforced()):
        note(f"warning: {line}")
    lent = config.ssh_agent if had is None or "ssh_agent" in config.insisted else bool(had.ssh_agent)
    lent = lent or options.git_signing
    return replace(options, ssh_agent=git_identity.agent_socket(invocation.environment) if lent else "")


def _pick(invocation: Invocation, engine: "Engine", workshop: "Workshop", agents: "dict[str, Agent]") -> str:
    from agent_session.agents import seed
    from agent_session.images import build

    built = engine.images.references()
    choices = []
    for agent in agents.values():
        lacks = [] if build.reference(engine, workshop, agent) in built else ["not built"]
        stored = engine.secret_id(login_secret(agent.name)) is not None
        lacks += ["no login found"] if seed.login_note(agent, invocation.environment, stored=stored) else []
        choices.append(
            questions.Choice(name=agent.name, title=agent.title, state=", ".join(lacks) or "ready")
        )
    return questions.pick_agent(choices, DEFAULT_AGENT if DEFAULT_AGENT in agents else choices[0].name)


def image_for(engine: "Engine", workshop: "Workshop", agent: "Agent", config: Config) -> str:
    """The agent's current image, built if that may be."""
    from agent_session.images import build

    if build.is_current(engine, workshop, agent):
        return build.reference(engine, workshop, agent)
    if (
        config.build is None
        and on_terminal()
        and questions.confirm("Image not built. Build now?", default=True)
    ):
        config = config.with_flags(build=True)
    if not config.build:
        raise ImageMissing(agent.name)
    with output.build_progress(f"Building {agent.title}") as tell:
        return build.ensure_image(engine, workshop, agent, tell=tell)


def seed_for(
    invocation: Invocation, agent: "Agent | None", request: "SessionRequest", *, fresh: bool
) -> "seed.Seed":
    """What crosses over now, after a word to the user about what does not."""
    from agent_session.agents import seed
    from agent_session.host import git_identity, timezone

    if agent is None:
        note("the session's agent is not installed here any more; it gets no login from this machine")
        return seed.EMPTY
    if line := seed.login_note(agent, invocation.environment, stored=request.login is not None):
        note(line)
    said = {"FRESH": fresh, "AUTO_APPROVE": request.options.auto_approve}
    extra = {f"AGENT_SESSION_{name}": "1" for name, yes in said.items() if yes}
    options, environment = request.options, invocation.environment
    if options.ssh_agent == git_identity.NO_AGENT:
        note("no ssh-agent runs here (SSH_AUTH_SOCK), so the session has none; eval $(ssh-agent) && ssh-add")
    gathered = seed.gather(
        agent if options.user_config else replace(agent, user_config=()),
        environment,
        timezone=timezone.name(environment),
        extra=extra,
        identity=git_identity.read(environment, signing=options.git_signing, github=options.github_token),
    )
    for line in gathered.notes:
        note(line)
    return gathered
