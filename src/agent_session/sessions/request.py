"""A request: a wish with all of it checked, for a new session or for one that is made again."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import Hint, UsageError
from agent_session.sessions import options
from agent_session.sessions.names import check_name
from agent_session.sessions.options import DEFAULTS, NOTHING_LENT, Options
from agent_session.sessions.review import host_directories, known_repositories
from agent_session.sessions.wish import Wish, directories
from agent_session.workspace import git_missing
from agent_session.workspace.clones import Clone
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import NONE as NO_PROTECTION
from agent_session.workspace.protection import Protection
from agent_session.workspace.scan import protect

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.session import Session

DEFAULT_AGENT = "claude"
NOWHERE = Path("/")
"""The folder of an agent that is not installed here any more."""


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """A wish with all of it checked. `mounts` are read-only, `kob` read-write, at their own paths."""

    name: str
    agent: "Agent"
    image: str
    projects: tuple[Project, ...]
    clones: tuple[Clone, ...] = ()
    workdir: PurePosixPath | None = None
    """Where the agent starts, where that is not told by the projects."""
    mounts: tuple[Path, ...] = ()
    kob: Path | None = None
    ca_bundle: Path | None = None
    rootful: bool = False
    protection: Protection = NO_PROTECTION
    options: Options = DEFAULTS
    owner: str = ""
    account: str = ""
    title: str = ""
    instructions: str = ""
    login: str | None = None
    """The id of the stored login's present content."""
    without_logins: bool = False
    """Made of an archive: what runs before its next start gets no login."""
    notes: tuple[str, ...] = ()
    """What the user should know of its clones."""
    created: datetime | None = None
    """Of a session that exists already; None: its container's time is its own."""


def new(engine: Engine, wish: Wish, installation: "Installation") -> SessionRequest:
    """The request for a session that does not exist yet.

    Raises BadName, ProjectRefused, AgentNotFound, CannotProtect, NothingProtected, ConfigurationError.
    """
    from agent_session.agents.catalog import choose
    from agent_session.agents.stored_login import login_secret
    from agent_session.images import build

    typed = directories(engine, wish, installation.home)
    agent = choose(installation.agents(), wish.agent or DEFAULT_AGENT)
    chosen = options.chosen(wish.options, wish.insisted, installation.environment, None)
    chosen = _with_model(agent, chosen, insisted="model" in wish.insisted)
    without_logins = wish.import_from is not None and not wish.logins
    request = SessionRequest(
        name=check_name(wish.name),
        agent=agent,
        image=build.reference(engine, installation.workshop(), agent),
        projects=typed.projects,
        clones=typed.clones,
        mounts=typed.mounts,
        kob=typed.kob,
        ca_bundle=installation.added_certificates(),
        rootful=engine.rootful,
        options=replace(chosen, **NOTHING_LENT) if without_logins else chosen,
        owner=wish.owner,
        account=wish.account,
        title=wish.title,
        instructions=wish.instructions,
        login=None
        if without_logins or wish.owner or wish.account
        else engine.secret_id(login_secret(agent.name)),
        without_logins=without_logins,
    )
    if typed.clones:
        request = with_sources(request, wish, installation)
    return _reachable(engine, protected(request, insisted="unprotected" in wish.insisted))


def with_sources(request: SessionRequest, wish: Wish, installation: "Installation") -> SessionRequest:
    """Add to the clones of directories of the host which repositories those are. Raises ProjectRefused."""
    from agent_session.workspace import clone_sources

    home, environment = installation.home, installation.environment
    allowed = wish.allow_secret_directories
    clones: list[Clone] = []
    notes: list[str] = []
    for clone in request.clones:
        if not clone.directory:
            clones.append(clone)
            continue
        found, repository = clone_sources.read(clone, home, environment, allow_secrets=allowed)
        clones.append(found)
        notes += clone_sources.notes(
            found, repository, environment, typed=clone.source, with_changes=wish.with_changes
        )
    return replace(request, clones=tuple(clones), notes=tuple(notes))


def again(engine: Engine, wish: Wish, installation: "Installation", session: "Session") -> SessionRequest:
    """The request that would make an existing session today, on the image that it has."""
    from agent_session.agents.catalog import Agent
    from agent_session.agents.stored_login import login_secret

    gone = Agent(name=session.agent, title=session.agent, folder=NOWHERE)
    request = same(
        session,
        installation.agent(session.agent) or gone,
        image=session.image,
        ca_bundle=installation.added_certificates(),
        rootful=engine.rootful,
        login=None if session.owner or session.account else engine.secret_id(login_secret(session.agent)),
    )
    if session.without_logins and session.started is None:  # an import that was killed: nobody has looked yet
        request = replace(request, login=None, without_logins=True)
    chosen = options.chosen(wish.options, wish.insisted, installation.environment, session.options)
    chosen = _with_model(request.agent, chosen, insisted="model" in wish.insisted)
    request = protected(replace(request, options=chosen), insisted="unprotected" in wish.insisted)
    return _reachable(engine, request)


def _with_model(agent: "Agent", chosen: Options, *, insisted: bool) -> Options:
    """Leave out a model for an agent that cannot be told one; UsageError where it is insisted on."""
    if not chosen.model or agent.models:
        return chosen
    if insisted:
        raise UsageError(
            f"{agent.title} takes no model at its start (models in its agent.yaml)",
            hint=Hint("start", ["-a", agent.name]),
        )
    return replace(chosen, model="")


def _reachable(engine: Engine, request: SessionRequest) -> SessionRequest:
    """The same request. Raises ProjectRefused where the engine could not mount what protects a project."""
    if engine.local is not None and not engine.rootful:
        from agent_session.workspace import reachable

        reachable.check(request.projects, request.protection.mounts)
    return request


def same(
    session: "Session",
    agent: "Agent",
    *,
    image: str,
    ca_bundle: Path | None,
    rootful: bool,
    login: str | None,
) -> SessionRequest:
    """What would have to be asked for to get this session, on another image or with another login."""
    return SessionRequest(
        name=session.name,
        agent=agent,
        image=image,
        projects=session.projects,
        clones=session.clones,
        workdir=session.workdir,
        mounts=session.mounts,
        kob=session.kob,
        ca_bundle=ca_bundle,
        rootful=rootful,
        options=session.options,
        owner=session.owner,
        account=session.account,
        title=session.title,
        instructions=session.instructions,
        login=login,
        created=session.created,
    )


def protected(request: SessionRequest, *, insisted: bool) -> SessionRequest:
    """Add to the request what protects the host from its agent. Raises as scan.protect does."""
    options = request.options
    trees = host_directories(request)
    protection = protect(
        trees,
        options.unprotected,
        mode=options.protect,
        insisted=insisted,
        known=known_repositories(request.name),
    )
    mounted = [*request.mounts, *([request.kob] if request.kob else [])]
    notes = (*protection.notes, *git_missing.notes(trees, mounted))
    return replace(request, protection=replace(protection, notes=notes))
