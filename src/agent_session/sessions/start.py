"""Sessions are started in two parts: `decide` makes a wish a step, and `perform` does the step.

`decide` changes nothing. Start, restart, update, an import and a dry run (which performs nothing) all go this
way. Callers of `perform` hold the session's lock.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from agent_session.engine.protocol import Engine
from agent_session.errors import NotReady
from agent_session.images.errors import ImageMissing
from agent_session.sessions import conflicts, find, moved
from agent_session.sessions.find import Found
from agent_session.sessions.names import check_name
from agent_session.sessions.steps import Attach, Create, Deliver, Replace, Resume, Step
from agent_session.sessions.wish import Wish, directories

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed
    from agent_session.sessions.clones import Access
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.readiness import Report
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session


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
    conflicts.check_agrees(engine, wish, session, installation.home)
    if not session.running or wish.restart or wish.update:
        moved.check(engine, session)
    if session.running and not wish.restart and not wish.update:
        conflicts.check_effect(wish, session, installation.environment)
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


def seed_for(engine: Engine, step: Step, wish: Wish, installation: "Installation") -> "Seed | None":
    """What crosses over with a step; None where nothing starts. Its notes are for the user."""
    if isinstance(step, Attach) or (isinstance(step, Replace) and not step.runs):
        return None
    if isinstance(step, Deliver):
        return installation.seed(engine, step.agent, step.session, fresh=wish.fresh, login=wish.login)
    from agent_session.sessions.request import NOWHERE

    request = step.request
    agent = request.agent if request.agent.folder != NOWHERE else None
    return installation.seed(engine, agent, request, fresh=wish.fresh, login=wish.login)


def perform(engine: Engine, step: Step, seed: "Seed | None", report: "Report") -> "Session":
    """Do a step and return the session; after a failure or an interrupt nothing half-made is left.

    `report` is told, a line each, what the user should know. Raises ImageMissing, NotReady, EngineRefused,
    ArchiveRefused.
    """
    if isinstance(step, Attach):
        return _settled(engine, step.session) if step.unsettled else step.session
    first = seed.first_notes if seed and isinstance(step, Create) else ()
    for line in (*getattr(step, "notes", ()), *(seed.notes if seed else ()), *first):
        report(line)
    if seed and seed.seal:
        from agent_session.agents import stored_login

        stored_login.keep_seal(engine, seed.agent, seed.seal)
    from agent_session.agents.seed import EMPTY
    from agent_session.sessions import lifecycle

    if isinstance(step, Deliver):
        return _deliver(engine, step, seed or EMPTY, report)
    if isinstance(step, Create):
        return _create(engine, step, seed or EMPTY, report)
    if isinstance(step, Resume):
        from agent_session.sessions import review

        review.keep(step.request)
        return lifecycle.resume(engine, step.session, seed or EMPTY, screen=step.screen, report=report)
    if not step.built:
        raise ImageMissing(step.request.agent.name)
    return lifecycle.recreate(engine, step.session, step.request, seed, screen=step.screen, report=report)


def _creation(engine: Engine, wish: Wish, installation: "Installation") -> Create:
    from agent_session.sessions import notes, ports
    from agent_session.sessions import request as requests

    request = requests.new(engine, wish, installation)
    ports.check(engine, request)
    return Create(
        request=request,
        built=engine.images.exists(request.image),
        screen=wish.screen,
        archive=wish.import_from,
        access=_access(wish, request, installation) if request.clones else None,
        notes=notes.on_creation(engine, wish, request),
    )


def _access(wish: Wish, request: "SessionRequest", installation: "Installation") -> "Access":
    from agent_session.host import git_identity
    from agent_session.sessions.clones import Access

    options, environment = request.options, installation.environment
    lent = git_identity.read(environment, github=True) if options.github_token else git_identity.UNKNOWN
    return Access(
        home=installation.home,
        environment=environment,
        token=dict(lent.variables).get("GH_TOKEN", ""),
        ssh_agent=options.ssh_agent,
        with_changes=wish.with_changes,
    )


def _again(engine: Engine, wish: Wish, installation: "Installation", session: "Session") -> Resume | Replace:
    """Start the session again; where its login, options or protection differ, in another container.

    A container's own cannot be changed.
    """
    from agent_session.sessions import endpoint, notes, ports
    from agent_session.sessions import request as requests

    request = requests.again(engine, wish, installation, session)
    ports.check(engine, request, session)
    told = (*request.protection.notes, *notes.on_options(engine, request.options))
    had = (session.login, session.options, session.protection, session.without_logins)
    differs = (request.login, request.options, request.protection.digest, request.without_logins) != had
    if differs or session.login_on_disk or endpoint.port_taken(engine, session):
        return Replace(session=session, request=request, screen=wish.screen, notes=told)
    return Resume(session=session, request=request, screen=wish.screen, notes=told)


def _move(engine: Engine, wish: Wish, installation: "Installation", found: Found) -> Attach | Replace:
    from agent_session.agents.catalog import choose
    from agent_session.images import build
    from agent_session.sessions import notes, ports
    from agent_session.sessions import request as requests

    session = found.session
    runs = session.running or found.interrupted  # an update that was killed had stopped it
    agent = choose(installation.agents(), session.agent)
    image = build.reference(engine, installation.workshop(), agent)
    if session.image == image and session.running == runs:
        return Attach(session=session, unsettled=found.unsettled)
    request = replace(requests.again(engine, wish, installation, session), image=image)
    if runs:
        ports.check(engine, request, session)
    return Replace(
        session=session,
        request=request,
        screen=wish.screen,
        built=engine.images.exists(image),
        runs=runs,
        notes=(*request.protection.notes, *notes.on_options(engine, request.options)),
    )


def _settled(engine: Engine, session: "Session") -> "Session":
    from agent_session.sessions import leftovers

    leftovers.settle(engine, session.name)
    return find.get(engine, session.name)


def _deliver(engine: Engine, step: Deliver, seed: "Seed", report: "Report") -> "Session":
    from agent_session.sessions import leftovers, lifecycle, readiness

    name = step.session.name
    leftovers.settle(engine, name)
    try:
        told = readiness.send_seed(engine, name, seed, screen=step.screen)
    except NotReady:
        # `stop` takes no lock: the session may be ending just now
        session = readiness.wait_until_stopped(engine, name)
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
    if step.access:
        from agent_session.sessions import clones

        return clones.create(engine, step.request, seed, step.access, screen=step.screen, report=report)
    return lifecycle.create(engine, step.request, seed, screen=step.screen, report=report)
