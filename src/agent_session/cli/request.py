"""What a session is asked to be: choices, and what lies on this machine, become a SessionRequest and a seed."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.cli import prompts, render
from agent_session.cli.invocation import Invocation, directory, note, on_terminal
from agent_session.config import DEFAULT_AGENT, DEFAULT_SESSION, Config
from agent_session.errors import ImageMissing, ProjectRefused

if TYPE_CHECKING:
    from agent_session import seed
    from agent_session.agents import Agent
    from agent_session.archive import Manifest
    from agent_session.engine import Engine
    from agent_session.images import Workshop
    from agent_session.plan import Options, SessionRequest
    from agent_session.projects import Project
    from agent_session.session import Session

CHOSEN = ("auto_approve", "unprotected", "taught", "git_signing", "github_token", "memory", "cpus", "pids")


def asked(invocation: Invocation, engine: "Engine", config: Config, manifest: "Manifest | None") -> "SessionRequest":
    """The request for a new session, after questions on a terminal. All of it is checked before an image is built."""
    request = wished(invocation, engine, config, manifest)
    return replace(request, image=image_for(engine, invocation.workshop(), request.agent, config))


def wished(invocation: Invocation, engine: "Engine", config: Config, manifest: "Manifest | None") -> "SessionRequest":
    """The same, but for the image, which may have to be built first. Nothing is changed."""
    from agent_session import lifecycle, plan, trust

    name = plan.check_name(config.name or DEFAULT_SESSION)
    projects, mounts, kob = _directories(config, manifest)
    workshop = invocation.workshop()
    agent = _agent(invocation, engine, workshop, config)
    request = plan.SessionRequest(
        name=name,
        agent=agent,
        image="",
        projects=projects,
        mounts=mounts,
        kob=kob,
        ca_bundle=workshop.ca_bundle if trust.trusts_more(invocation.environment) else None,
        rootful=engine.rootful,
        options=_options(invocation, engine, config, None),
        login=engine.secret_id(plan.login_secret(agent.name)),
    )
    request = lifecycle.protected(request, strict="unprotected" in config.insisted)
    for line in request.protection.notes:
        note(line)
    return request


def _directories(
    config: Config, manifest: "Manifest | None"
) -> "tuple[tuple[Project, ...], tuple[Path, ...], Path | None]":
    """Projects, read-only mounts and the one at its own path."""
    from agent_session import archive
    from agent_session.projects import resolve_mounts, resolve_projects

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
    from agent_session.agents import choose

    agents = invocation.agents()
    chosen = config.agent
    if chosen is None:
        chosen = _pick(invocation, engine, workshop, agents) if on_terminal() and len(agents) > 1 else DEFAULT_AGENT
    return choose(agents, chosen)


def asked_again(
    invocation: Invocation, engine: "Engine", session: "Session", agent: "Agent | None", config: Config
) -> "SessionRequest":
    """The request that would make this session today, on the image that it has."""
    from agent_session import lifecycle, plan, trust
    from agent_session.agents import Agent

    options = _options(invocation, engine, config, session.options)
    request = lifecycle.request_again(
        session,
        agent or Agent(name=session.agent, title=session.agent, folder=Path("/")),
        image=session.image,
        ca_bundle=trust.bundle(invocation.environment) if trust.trusts_more(invocation.environment) else None,
        rootful=engine.rootful,
        login=engine.secret_id(plan.login_secret(session.agent)),
    )
    return lifecycle.protected(replace(request, options=options), strict="unprotected" in config.insisted)


def _options(invocation: Invocation, engine: "Engine", config: Config, had: "Options | None") -> "Options":
    """What a session is to be started with: what it had, but for what flags and variables insist on; a word on limits that are none."""
    from agent_session import identity, plan

    chosen = {name: getattr(config, name) for name in CHOSEN if had is None or name in config.insisted}
    options = replace(had or plan.Options(), **chosen)
    for line in plan.limit_notes(options, engine.unenforced()):
        note(f"warning: {line}")
    lent = config.ssh_agent if had is None or "ssh_agent" in config.insisted else bool(had.ssh_agent)
    lent = lent or options.git_signing
    return replace(options, ssh_agent=identity.agent_socket(invocation.environment) if lent else "")


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
