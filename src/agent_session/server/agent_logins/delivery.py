"""A new login goes into the agent's running sessions, and one that an agent has renewed comes back."""

import json

import structlog

from agent_session import inside
from agent_session.activity import agent_command
from agent_session.agents.catalog import Agent as Kind
from agent_session.agents.stored_login import StoredLogin, json_object
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError
from agent_session.server import agents
from agent_session.server.database.models import Agent
from agent_session.server.parts import Parts
from agent_session.sessions import find
from agent_session.sessions.session import Session

SECONDS = 10
LOG = structlog.get_logger("agent-session")


async def deliver(parts: Parts, agent: Agent) -> None:
    """Give a login to the agent's sessions that run.

    Those that cannot take it now have it from their next start on.
    """
    login = agents.login(parts.settings, agent)
    if login is not None:
        await parts.threads.run(lambda: _give(parts.engine, str(agent.id), login))


async def read_back(parts: Parts, session: Session) -> None:
    """Keep what the agent of a session that is about to stop has renewed of its login."""
    if not session.running or not session.account.isdecimal():
        return
    known = await agents.login_of(parts.database, parts.settings, session)
    kind = await parts.threads.run(lambda: parts.installation.agent(session.agent))
    if known is None or kind is None or kind.login is None or kind.login.target not in known.files:
        return
    renewed = await parts.threads.run(lambda: _renewed(parts.engine, kind, session, known))
    if renewed is not None:
        await agents.settle(parts.database, parts.settings, int(session.account), "ready", login=renewed)


def _give(engine: Engine, account: str, login: StoredLogin) -> None:
    content = agents.written(login).encode()
    for session in find.list_sessions(engine):
        if session.running and session.account == account:
            try:
                agent_command.object_of(engine, session, ["take-login"], stdin=content)
            except AgentSessionError as error:
                LOG.info("a login waits for the next start", session=session.name, reason=error.code)


def _renewed(engine: Engine, kind: Kind, session: Session, known: StoredLogin) -> StoredLogin | None:
    """Return the login with the entries that the session has with a later end; None for none."""
    assert kind.login
    file = str(inside.HOME / kind.login.file)
    try:
        done = engine.exec(session.container, ["/usr/bin/head", "-c", "1000000", file], timeout=SECONDS)
    except AgentSessionError:
        return None
    theirs = json_object(done.stdout.decode("utf-8", "replace")) if done.exit_code == 0 else {}
    ours = json_object(known.files[kind.login.target])
    newer = {name: theirs[name] for name in ours if _ends(theirs.get(name)) > _ends(ours[name])}
    if not newer:
        return None
    return StoredLogin(
        environment=known.environment, files={**known.files, kind.login.target: json.dumps(ours | newer)}
    )


def _ends(entry: object) -> float:
    """When a login that is renewed ends; 0 for other ones."""
    ends = entry.get("expires") if isinstance(entry, dict) and entry.get("type") == "oauth" else 0
    return float(ends) if isinstance(ends, int | float) else 0.0
