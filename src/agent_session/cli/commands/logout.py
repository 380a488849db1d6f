"""`agent-session logout`: forget what `login` stored, and what sessions have of it."""

from typing import TYPE_CHECKING

from agent_session.agents.stored_login import login_secret, seal_secret
from agent_session.cli.commands.login import AgentName
from agent_session.cli.context import Invocation, note
from agent_session.config import DEFAULT_AGENT
from agent_session.errors import AgentSessionError, Hint

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session


def logout(invocation: Invocation, agent: AgentName = None) -> None:
    """Forget an agent's stored login, and take it and logins of their own from the agent's sessions, running
    or stopped.

    A program that runs keeps what it has read: a line names each session that is to be started again. Nothing
    else is touched.
    """
    from agent_session.agents.catalog import choose
    from agent_session.sessions import find

    chosen = choose(invocation.agents(), agent or invocation.config.agent or DEFAULT_AGENT)
    with invocation.engine() as engine:
        stored = engine.secret_id(login_secret(chosen.name)) is not None
        for secret in (login_secret(chosen.name), seal_secret(chosen.name)):
            engine.remove_secret(secret)
        note(
            f"{chosen.title}'s stored login is forgotten"
            if stored
            else f"there is no stored login for {chosen.title}"
        )
        kept = []
        for session in find.list_sessions(engine):
            if session.agent == chosen.name and not _forgotten(invocation, engine, session, chosen):
                kept.append(session.name)
    if kept:
        raise AgentSessionError(
            f"the login could not be taken from {', '.join(kept)}",
            hint=tuple(Hint("rm", [name]) for name in kept),
        )


def _forgotten(invocation: Invocation, engine: "Engine", session: "Session", agent: "Agent") -> bool:
    """Take the login out of one session; whether that could be done. A line says what is left to do."""
    from agent_session.sessions import find, forget_logins
    from agent_session.sessions import request as requests
    from agent_session.sessions.wish import Wish

    try:
        with invocation.locked(session.name):
            session = find.get(engine, session.name)
            wish = Wish(name=session.name)
            request = (
                requests.again(engine, wish, invocation.installation, session)
                if session.login_on_disk and not session.running
                else None
            )
            forget_logins.forget(engine, session, agent, request)
    except AgentSessionError as error:
        note(error.message)
        return False
    if session.running:
        again = Hint("restart", [session.name]).command()
        note(f"session '{session.name}' runs: its agent has what it has read until: {again}")
    return True
