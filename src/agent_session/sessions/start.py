"""Sessions are started in two parts: `decide` makes a wish a step, and `perform` does the step.

`decide` changes nothing. Start, restart, update, an import and a dry run (which performs nothing) all go this
way. Callers of `perform` hold the session's lock.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint, ImageMissing, NotReady, ProjectRefused, SessionConflict
from agent_session.sessions import find
from agent_session.sessions.find import Found
from agent_session.sessions.names import NAME, check_name
from agent_session.sessions.request import (
    OF_A_START,
    Options,
    SessionRequest,
    Wish,
    flags,
    limit_notes,
    permission_notes,
)

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.agents.seed import Seed
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.lifecycle import Report
    from agent_session.sessions.session import Session
    from agent_session.workspace.projects import Project

DEFAULT_AGENT = "claude"


@dataclass(frozen=True, kw_only=True)
class Attach:
    """The session needs nothing, unless it is `unsettled`: then the remains of an update are removed."""

    session: "Session"
    unsettled: bool = False


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """The session runs, but may not be up yet: it gets its seed, and its screen is waited for."""

    session: "Session"
    agent: "Agent | None"
    screen: bool


@dataclass(frozen=True, kw_only=True)
class Create:
    """Make a new session, from an archive where one is named. `built` says that its image exists."""

    request: SessionRequest
    built: bool
    screen: bool
    archive: Path | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Start the session's container again, which is stopped first where it runs."""

    session: "Session"
    request: SessionRequest
    screen: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replace:
    """Give the session another container on its volumes; with `runs` the session runs afterwards."""

    session: "Session"
    request: SessionRequest
    screen: bool
    built: bool = True
    runs: bool = True
    notes: tuple[str, ...] = ()


Step = Attach | Deliver | Create | Resume | Replace


def decide(engine: Engine, wish: Wish, installation: "Installation") -> Step:
    """Decide the step for a wish. Nothing is changed; what can never be done is refused.

    Raises BadName, NameTaken, ConflictError, ProjectRefused, AgentNotFound, CannotProtect, NothingProtected,
    ConfigurationError.
    """
    return decide_for(engine, wish, installation, find.look(engine, wish.name))


def decide_for(engine: Engine, wish: Wish, installation: "Installation", found: Found | None) -> Step:
    """Decide the step for a caller that has looked for the session already."""
    if found is None:
        return _creation(engine, wish, installation)
    session = found.session
    _check_agrees(engine, wish, session, installation.home)
    if session.running and not wish.restart and not wish.update:
        _check_effect(wish, session, installation.environment)
        if not found.unsettled and not wish.screen and not find.needs_seed(session):
            return Attach(session=session)
        return Deliver(session=session, agent=installation.agent(session.agent), screen=wish.screen)
    if wish.update:
        return _move(engine, wish, installation, found)
    return _again(engine, wish, installation, session)


def check(engine: Engine, wish: Wish, installation: "Installation") -> None:
    """Refuse a project or an agent that can never be right.

    For callers that would have to ask, or to wait, first.
    """
    check_name(wish.name)
    directories(engine, wish, installation.home)
    if wish.agent is not None:
        from agent_session.agents.catalog import choose

        choose(installation.agents(), wish.agent)


def seed_for(step: Step, wish: Wish, installation: "Installation") -> "Seed | None":
    """What crosses over with a step; None where nothing starts. Its notes are for the user."""
    if isinstance(step, Attach) or (isinstance(step, Replace) and not step.runs):
        return None
    if isinstance(step, Deliver):
        session = step.session
        return installation.seed(
            step.agent,
            session.options,
            login=session.login,
            fresh=wish.fresh,
            without_logins=session.without_logins,
        )
    known = step.request.agent if step.request.agent.folder != NOWHERE else None
    request = step.request
    return installation.seed(
        known,
        request.options,
        login=request.login,
        fresh=wish.fresh,
        without_logins=request.without_logins,
    )


def perform(engine: Engine, step: Step, seed: "Seed | None", report: "Report") -> "Session":
    """Do a step and return the session; after a failure or an interrupt nothing half-made is left.

    `report` is told, a line each, what the user should know. Raises ImageMissing, NotReady, EngineRefused,
    ArchiveRefused.
    """
    if isinstance(step, Attach):
        return _settled(engine, step.session) if step.unsettled else step.session
    for line in (*getattr(step, "notes", ()), *(seed.notes if seed else ())):
        report(line)
    from agent_session.agents.seed import EMPTY
    from agent_session.sessions import lifecycle

    if isinstance(step, Deliver):
        return _deliver(engine, step, seed or EMPTY, report)
    if isinstance(step, Create):
        return _create(engine, step, seed or EMPTY, report)
    if isinstance(step, Resume):
        return lifecycle.resume(engine, step.session, seed or EMPTY, screen=step.screen, report=report)
    if not step.built:
        raise ImageMissing(step.request.agent.name)
    return lifecycle.recreate(engine, step.session, step.request, seed, screen=step.screen, report=report)


def directories(
    engine: Engine, wish: Wish, home: Path
) -> "tuple[tuple[Project, ...], tuple[Path, ...], Path | None]":
    """The projects of a new session, its read-only mounts, and the one at its own path. ProjectRefused."""
    from agent_session.workspace.projects import resolve_mounts, retargeted

    allowed = wish.allow_secret_directories
    if not wish.projects and wish.directory is None and not wish.no_projects:
        raise ProjectRefused(".", "the current directory has been removed")
    typed = () if wish.no_projects else wish.projects or (str(wish.directory),)
    projects = _projects(engine, wish, typed, home, allow_secrets=allowed)
    mounts = resolve_mounts(wish.mounts, home=home, allow_secrets=allowed)
    kob = resolve_mounts((wish.kob,), home=home, allow_secrets=allowed)[0] if wish.kob else None
    return retargeted(projects, wish.targets), mounts, kob


def _projects(
    engine: Engine, wish: Wish, typed: Sequence[str], home: Path, *, allow_secrets: bool
) -> "tuple[Project, ...]":
    """Resolve the projects that were typed; the error for a session's name says how to name a session."""
    from agent_session.workspace.projects import resolve_projects

    try:
        return resolve_projects(typed, home=home, allow_secrets=allow_secrets)
    except ProjectRefused as error:
        words = [word for word in wish.projects if NAME.fullmatch(word) and not Path(word).exists()]
        names = {one.name for one in find.list_sessions(engine)} if words else set()
        if meant := [word for word in words if word in names]:
            error.hints = (Hint("start", ["-n", meant[0]]),)
        raise


NOTHING_LENT: dict[str, Any] = {"ssh_agent": "", "git_signing": False, "github_token": False}
"""The options that lend a login, off."""


def _withheld(name: str, options: Options) -> list[str]:
    """Write the notes about logins that an imported session does not get yet.

    Programs in the archive run at once, before anybody has looked at them.
    """
    notes = [
        "no login was given to the imported session; after you have looked at it: "
        + Hint("restart", [name]).command()
    ]
    lent = [name for name, off in NOTHING_LENT.items() if getattr(options, name) != off]
    if lent:
        words = [word for option in lent for word in flags(option, True)]
        later = Hint("stop", [name], then=Hint("start", ["-n", name, *words]))
        notes.append(f"{shlex.join(words)} needs --logins at an import, or later: {later.command()}")
    return notes


NOWHERE = Path("/")
"""The folder of an agent that is not installed here any more."""


def _creation(engine: Engine, wish: Wish, installation: "Installation") -> Create:
    from agent_session.agents.catalog import choose
    from agent_session.agents.login import login_secret
    from agent_session.images import build
    from agent_session.sessions import lifecycle

    projects, mounts, kob = directories(engine, wish, installation.home)
    agent = choose(installation.agents(), wish.agent or DEFAULT_AGENT)
    image = build.reference(engine, installation.workshop(), agent)
    options = _options(wish, installation.environment, None)
    without_logins = wish.import_from is not None and not wish.logins
    notes = _withheld(wish.name, options) if without_logins else []
    if without_logins:
        options = replace(options, **NOTHING_LENT)
    request = SessionRequest(
        name=check_name(wish.name),
        agent=agent,
        image=image,
        projects=projects,
        mounts=mounts,
        kob=kob,
        ca_bundle=installation.added_certificates(),
        rootful=engine.rootful,
        options=options,
        login=None if without_logins else engine.secret_id(login_secret(agent.name)),
        without_logins=without_logins,
    )
    request = lifecycle.protected(request, strict="unprotected" in wish.insisted)
    notes += [*request.protection.notes, *_limits(engine, options)]
    if engine.rootful:
        notes.append(
            "warning: you are root, so root in the container is root on this machine; an ordinary user's "
            "sessions are safer"
        )
    return Create(
        request=request,
        built=engine.images.exists(image),
        screen=wish.screen,
        archive=wish.import_from,
        notes=tuple(notes),
    )


def _again(engine: Engine, wish: Wish, installation: "Installation", session: "Session") -> Resume | Replace:
    """Start the session again; where its login, options or protection differ, in another container.

    A container's own cannot be changed.
    """
    from agent_session.sessions import endpoint

    request = _request_again(engine, wish, installation, session)
    notes = tuple(_limits(engine, request.options))
    had = (session.login, session.options, session.protection, session.without_logins)
    differs = (request.login, request.options, request.protection.digest, request.without_logins) != had
    if differs or endpoint.port_taken(engine, session):
        return Replace(session=session, request=request, screen=wish.screen, notes=notes)
    return Resume(session=session, request=request, screen=wish.screen, notes=notes)


def _move(engine: Engine, wish: Wish, installation: "Installation", found: Found) -> Attach | Replace:
    from agent_session.agents.catalog import choose
    from agent_session.images import build

    session = found.session
    runs = session.running or found.interrupted  # an update that was killed had stopped it
    agent = choose(installation.agents(), session.agent)
    image = build.reference(engine, installation.workshop(), agent)
    if session.image == image and session.running == runs:
        return Attach(session=session, unsettled=found.unsettled)
    request = replace(_request_again(engine, wish, installation, session), image=image)
    built = engine.images.exists(image)
    notes = tuple(_limits(engine, request.options))
    return Replace(session=session, request=request, screen=wish.screen, built=built, runs=runs, notes=notes)


def _request_again(
    engine: Engine, wish: Wish, installation: "Installation", session: "Session"
) -> SessionRequest:
    """The request that would make this session today, on the image that it has."""
    from agent_session.agents.catalog import Agent
    from agent_session.agents.login import login_secret
    from agent_session.sessions import lifecycle

    gone = Agent(name=session.agent, title=session.agent, folder=NOWHERE)
    request = lifecycle.request_again(
        session,
        installation.agent(session.agent) or gone,
        image=session.image,
        ca_bundle=installation.added_certificates(),
        rootful=engine.rootful,
        login=engine.secret_id(login_secret(session.agent)),
    )
    if session.without_logins and session.started is None:  # an import that was killed: nobody has looked yet
        request = replace(request, login=None, without_logins=True)
    options = _options(wish, installation.environment, session.options)
    return lifecycle.protected(replace(request, options=options), strict="unprotected" in wish.insisted)


def _options(wish: Wish, environment: Mapping[str, str], had: Options | None) -> Options:
    """What a session is to be started with: what it had, but for what is insisted on."""
    from agent_session.host import git_identity

    names = [field.name for field in fields(Options) if field.name != "ssh_agent"]
    chosen = {name: getattr(wish.options, name) for name in names if had is None or name in wish.insisted}
    options = replace(had or Options(), **chosen)
    lent = wish.options.ssh_agent if had is None or "ssh_agent" in wish.insisted else had.ssh_agent
    socket = git_identity.agent_socket(environment) if lent or options.git_signing else ""
    return replace(options, ssh_agent=socket)


def _limits(engine: Engine, options: Options) -> list[str]:
    limits = [f"warning: {line}" for line in limit_notes(options, engine.unenforced())]
    return [*permission_notes(options), *limits]


def _check_agrees(engine: Engine, wish: Wish, session: "Session", home: Path) -> None:
    """Raise ConflictError where the wish insists on another agent, other projects or a new session."""
    if wish.import_from:
        free = find.free_name((one.name for one in find.list_sessions(engine)), Path(session.name))
        hint = Hint("start", ["--import", str(wish.import_from), "-n", free])
        raise ConflictError(f"session '{session.name}' exists already", hint=hint)
    agent = wish.agent if "agent" in wish.insisted else None
    typed = wish.projects if "projects" in wish.insisted else ()
    sources = [one.source for one in _projects(engine, wish, typed, home, allow_secrets=True)]
    strangers = [path for path in sources if path not in {project.source for project in session.projects}]
    if agent in {None, session.agent} and not strangers:
        return
    projects = ", ".join(str(project.source) for project in session.projects) or "no project"
    asked = [f"agent {agent}"] if agent not in {None, session.agent} else []
    directory = (strangers or [wish.directory or Path(session.name)])[0]
    name = find.free_name((one.name for one in find.list_sessions(engine)), directory)
    words = [*(["-a", agent] if agent else []), *map(str, sources)]
    raise SessionConflict(
        session.name,
        has=f"agent {session.agent} and {projects}",
        asked=", ".join([*asked, *map(str, strangers)]),
        instead=Hint("start", ["-n", name, *words], note="a new session"),
    )


def _check_effect(wish: Wish, session: "Session", environment: Mapping[str, str]) -> None:
    """Raise ConflictError where the wish insists on an option that takes effect at the next start only."""
    if not wish.insisted & OF_A_START:
        return
    wanted = _options(wish, environment, session.options)
    later = [
        flags(name, getattr(wanted, name))
        for name in sorted(wish.insisted & OF_A_START - {"fresh"})
        if _plain(getattr(wanted, name), name) != _plain(getattr(session.options, name), name)
    ]
    later += [["--fresh"]] if wish.fresh and "fresh" in wish.insisted else []
    if later:
        take = "takes" if len(later) == 1 else "take"
        words = [word for option in later for word in option]
        again = Hint("start", ["-n", session.name, *words])
        raise ConflictError(
            f"session '{session.name}' runs: {shlex.join(words)} {take} effect at its next start",
            hint=Hint("stop", [session.name], then=again),
        )


def _plain(value: object, name: str) -> object:
    if name == "ssh_agent":
        return bool(value)
    return sorted(value) if isinstance(value, tuple) else value


def _settled(engine: Engine, session: "Session") -> "Session":
    from agent_session.sessions import lifecycle

    lifecycle.settle(engine, session.name)
    return find.get(engine, session.name)


def _deliver(engine: Engine, step: Deliver, seed: "Seed", report: "Report") -> "Session":
    from agent_session.sessions import lifecycle

    name = step.session.name
    lifecycle.settle(engine, name)
    try:
        told = lifecycle.send_seed(engine, name, seed, screen=step.screen)
    except NotReady:
        session = lifecycle.wait_until_stopped(
            engine, name
        )  # `stop` takes no lock: the session may be ending just now
        if session.running:
            raise
        return lifecycle.resume(engine, session, seed, screen=step.screen, report=report)
    for line in told:
        report(line)
    return find.get(engine, name)


def _create(engine: Engine, step: Create, seed: "Seed", report: "Report") -> "Session":
    from agent_session.sessions import archive, lifecycle

    if not step.built:
        raise ImageMissing(step.request.agent.name)
    archive.discard_partial_import(engine, step.request.name)
    if step.archive:
        return archive.create(engine, step.request, seed, step.archive, screen=step.screen, report=report)
    return lifecycle.create(engine, step.request, seed, screen=step.screen, report=report)
