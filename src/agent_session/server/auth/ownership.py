"""Whose a session is: its container's label says it, and what is not yours is not there."""

from agent_session.engine.protocol import Engine
from agent_session.server.auth.scopes import Caller
from agent_session.server.events import Sees
from agent_session.sessions import find
from agent_session.sessions.errors import BadName, SessionNotFound
from agent_session.sessions.session import Session


def sees(caller: Caller) -> Sees:
    """Return what a caller may see: (owner, session's name) -> yes or no."""
    return lambda owner, name: owner == caller.owner and caller.session in {None, name}


def get(engine: Engine, caller: Caller, name: str) -> Session:
    """Return the caller's session of that name. SessionNotFound for others', and for no session's name."""
    try:
        session = find.find_session(engine, name)
    except BadName:
        session = None
    if session is None or not sees(caller)(session.owner, session.name):
        raise SessionNotFound(name)
    return session
