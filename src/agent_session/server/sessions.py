"""Sessions are made, started, stopped and removed for the server's users; these functions block."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agent_session.agents import seed as seeds
from agent_session.agents.stored_login import StoredLogin, login_secret
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, EngineRefused, Hint, UsageError
from agent_session.host import model_name
from agent_session.images import build
from agent_session.server.agents import Chosen, NoAgent
from agent_session.server.auth.ownership import sees
from agent_session.server.auth.scopes import Caller
from agent_session.sessions import clones, find, lifecycle, start, unsaved_work
from agent_session.sessions.errors import BadName, SessionNotFound, WorkAtRisk
from agent_session.sessions.installation import Installation
from agent_session.sessions.labels import LABEL_OWNER
from agent_session.sessions.names import check_name, volume_names
from agent_session.sessions.options import Options
from agent_session.sessions.session import Session
from agent_session.sessions.steps import Create
from agent_session.sessions.wish import Wish

PREFERRED = ("claude", "opencode")
"""Which agent a session gets where nobody chose one and several could be had."""
LONGEST_SLUG = 40
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A session that a user wants; `key` is the request's own name for it, where it has one."""

    title: str
    name: str | None
    agent: Chosen
    projects: tuple[str, ...]
    mount: bool
    auto_approve: bool
    model: str = ""
    key: str | None = None
    reuse: bool = False
    """Whether the caller's session of that name, where there is one, is what is wanted."""
    instructions: str = ""
    memory: int = 0
    """Bytes that it may use; 0: all there are."""


def readable_name(title: str, *, seed: str | None) -> str:
    """Return a name that begins with the title's words: fix-login-3f2a; the same for the same seed."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].strip("-") or "session"
    suffix = hashlib.sha256(seed.encode()).hexdigest()[:8] if seed else secrets.token_hex(2)
    return f"{slug}-{suffix}"


def agents(engine: Engine, installation: Installation) -> Mapping[str, bool]:
    """Return the agents that can be talked to, each with whether a session of it could start now."""
    workshop = installation.workshop()
    built = engine.images.references()
    found = {}
    for agent in installation.agents().values():
        if agent.name == "shell":
            continue
        stored = engine.secret_id(login_secret(agent.name)) is not None
        lacking = seeds.login_note(agent, installation.environment, stored=stored)
        found[agent.name] = not lacking and build.reference(engine, workshop, agent) in built
    return found


def named(caller: Caller, wanted: Wanted) -> Wanted:
    """Return what is wanted with its name. A request's key makes the same name again, and so one session."""
    if wanted.name:
        return wanted
    seed = f"{caller.user}:{wanted.key}" if wanted.key else None
    name = readable_name(wanted.title, seed=seed)
    return replace(wanted, name=name, reuse=wanted.reuse or bool(wanted.key))


def create(
    engine: Engine, installation: Installation, caller: Caller, wanted: Wanted, report: Report
) -> tuple[Session, bool]:
    """Make a session and wait until it is up. A request with a key that was met already gets its session.

    Returns whether it was made now. Raises NoAgent, ConflictError, ProjectRefused, ImageMissing and the like.
    """
    agent = wanted.agent.kind or _usual_agent(engine, installation)
    wanted = named(caller, wanted)
    name = wanted.name or ""
    if caller.session not in {None, name}:
        raise UsageError(f"your token is for the session '{caller.session}' alone")
    wish = Wish(
        name=name,
        agent=agent,
        projects=wanted.projects,
        no_projects=not wanted.projects,
        clone=not wanted.mount,
        options=Options(auto_approve=wanted.auto_approve, memory=wanted.memory, model=_model(wanted)),
        insisted=frozenset({"model"} if wanted.model else ()),
        owner=caller.owner,
        account=wanted.agent.account,
        login=wanted.agent.login,
        title=wanted.title,
        instructions=wanted.instructions,
        screen=False,
    )
    with installation.locked(name, waiting=lambda _holder: None):
        there = find.look(engine, name)
        if there and wanted.reuse and there.session.owner == caller.owner:
            return there.session, False
        if there:
            raise ConflictError(f"there is a session '{name}' already", hint=Hint("ls"))
        step = start.decide_for(engine, wish, installation, None)
        if not isinstance(step, Create):
            raise ConflictError(f"there is a session '{name}' already", hint=Hint("ls"))
        gathered = start.seed_for(engine, step, wish, installation)
        return start.perform(engine, step, gathered, report), True


def _model(wanted: Wanted) -> str:
    """Return the model that the agent starts with. UsageError for what can be none."""
    try:
        return (
            model_name.read(wanted.model or wanted.agent.model) if wanted.model or wanted.agent.model else ""
        )
    except ValueError as error:
        raise UsageError(str(error), hint=Hint("models", [])) from None


def ensure_running(
    engine: Engine, installation: Installation, session: Session, login: StoredLogin | None
) -> Session:
    """Start a session that is stopped, with its account's login; one that runs is left as it is."""
    wish = Wish(name=session.name, no_projects=True, screen=False, login=login)
    with installation.locked(session.name, waiting=lambda _holder: None):
        step = start.decide(engine, wish, installation)
        if isinstance(step, Create):
            raise SessionNotFound(session.name)
        gathered = start.seed_for(engine, step, wish, installation)
        return start.perform(engine, step, gathered, lambda _line: None)


def stop(engine: Engine, installation: Installation, session: Session) -> Session:
    """Stop a session; all that it holds stays."""
    lifecycle.stop(engine, [session], worked_on=installation.is_locked)
    return find.get(engine, session.name)


def remove(engine: Engine, installation: Installation, session: Session, *, discard_work: bool) -> None:
    """Stop a session and remove it. WorkAtRisk where it holds work that exists nowhere else."""
    if session.running:
        session = stop(engine, installation, session)
    with installation.locked(session.name, waiting=lambda _holder: None):
        lost = () if discard_work else losses(engine, installation, session)
        if lost:
            raise WorkAtRisk(session.name, lost, clones=bool(session.clones))
        lifecycle.remove(engine, session.name)
        clones.release(session.name, session.clones, installation.environment)


def remove_rest(engine: Engine, installation: Installation, caller: Caller, name: str) -> None:
    """Remove what is left of the caller's session whose removal was cut off.

    Its container is gone by then. Raises SessionNotFound where nothing is left, or of somebody else's.
    """
    try:
        volumes = volume_names(check_name(name))
    except BadName:
        raise SessionNotFound(name) from None
    with installation.locked(name, waiting=lambda _holder: None):
        left = [labels for one in volumes if (labels := engine.volume_labels(one)) is not None]
        mine = [labels for labels in left if sees(caller)(labels.get(LABEL_OWNER, ""), name)]
        if not left or mine != left or find.look(engine, name):
            raise SessionNotFound(name)
        lifecycle.remove(engine, name)


def losses(engine: Engine, installation: Installation, session: Session) -> tuple[str, ...]:
    """Return the work in a session that exists nowhere else, one line each."""
    contents = unsaved_work.Contents(
        name=session.name,
        image=session.image,
        projects=session.projects,
        agent=installation.agent(session.agent),
        clones=session.clones,
    )
    if unsaved_work.none_obviously(engine, contents):
        return ()
    try:
        return unsaved_work.at_risk(engine, contents).lost
    except EngineRefused as error:
        return (f"what that is cannot be seen: {error.message}",)


def _usual_agent(engine: Engine, installation: Installation) -> str:
    ready = [name for name, can_start in agents(engine, installation).items() if can_start]
    if not ready:
        raise NoAgent
    return next((name for name in PREFERRED if name in ready), ready[0])
