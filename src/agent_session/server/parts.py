"""What one running server is made of; endpoints get it as a dependency."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from agent_session.engine.protocol import Engine
from agent_session.server.agent_logins.logins import Logins
from agent_session.server.audit import AuditLog
from agent_session.server.auth.guesses import Guesses
from agent_session.server.database.connection import Database
from agent_session.server.events import Hub
from agent_session.server.limits import Limits
from agent_session.server.linear.parts import LinearParts
from agent_session.server.metrics import Metrics
from agent_session.server.push.presence import Presence
from agent_session.server.push.pusher import Pusher
from agent_session.server.roots import Roots
from agent_session.server.settings import Settings
from agent_session.server.threads import Threads
from agent_session.server.turns import Turns
from agent_session.server.watching import Watching
from agent_session.server.web.visitors import Visitors
from agent_session.sessions.installation import Installation


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one server."""

    settings: Settings
    engine: Engine
    installation: Installation
    database: Database
    audit: AuditLog
    metrics: Metrics
    guesses: Guesses
    hub: Hub
    watching: Watching
    turns: Turns
    limits: Limits
    roots: Roots
    logins: Logins
    presence: Presence
    pusher: Pusher
    visitors: Visitors
    threads: Threads
    linear: LinearParts = field(default_factory=LinearParts)


def parts_of(request: HTTPConnection) -> Parts:
    """Return the parts of the server that has a request, or a socket."""
    parts: Parts = request.app.state.parts
    return parts


OfServer = Annotated[Parts, Depends(parts_of)]
