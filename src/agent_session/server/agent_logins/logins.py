"""The logins that go on in this server: begun, followed by clients, and ended by a task each."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from agent_session.agents.stored_login import StoredLogin
from agent_session.errors import AgentSessionError, ConflictError, Hint
from agent_session.server import agents
from agent_session.server.agent_logins.login import Login, Way, status_of
from agent_session.server.database.connection import Database
from agent_session.server.database.models import Agent
from agent_session.server.events import Hub
from agent_session.server.settings import Settings

LOG = structlog.get_logger("agent-session")
LONGEST_SECONDS = 1300.0
MOST = 20
"""Logins that go on at once, whosever they are."""
KEPT = timedelta(hours=1)
"""How long a login that nobody has asked for an agent is kept."""


class Logins:
    """The logins of agents. Everything happens in the event loop."""

    def __init__(self, database: Database, settings: Settings, hub: Hub) -> None:
        self._database = database
        self._settings = settings
        self._hub = hub
        self._of: dict[int, Login] = {}
        self._without_agent: list[tuple[uuid.UUID, datetime, Login]] = []
        self._tasks: dict[Login, asyncio.Task[None]] = {}
        self.on_ready: Callable[[Agent], Awaitable[object]] | None = None
        """What is done with a login that is there now."""

    def of(self, agent: int) -> Login | None:
        """Return the login of an agent that goes on, or went on in this server."""
        return self._of.get(agent)

    async def begin(self, agent: Agent, owner: str, way: Way) -> Login:
        """Begin a login of an agent; one that went on ends. ConflictError where too many go on."""
        await self.cancel(agent.id)
        login = Login()
        login.changed = lambda: self._tell(agent, owner, login)

        async def go() -> None:
            await _drive(login, way)
            await self._end(agent, owner, login)

        await agents.settle(self._database, self._settings, agent.id, "pending")
        self._go(login, go)
        self._of[agent.id] = login
        return login

    def begin_without_agent(self, user: uuid.UUID, way: Way) -> Login:
        """Begin a login of a user's that becomes an agent's when it is ready. ConflictError."""
        now = datetime.now(UTC)
        self._without_agent = [one for one in self._without_agent if now - one[1] < KEPT]
        login = Login()
        self._go(login, lambda: _drive(login, way))
        self._without_agent.append((user, now, login))
        return login

    def of_device(self, user: uuid.UUID, code: str) -> Login | None:
        """Return a user's login with that device code."""
        found = (one for whose, _, one in self._without_agent if whose == user and one.device_code == code)
        return next(found, None)

    def take(self, login: Login) -> StoredLogin | None:
        """Return what came of a login without an agent, and forget it."""
        self._without_agent = [one for one in self._without_agent if one[2] is not login]
        result, login.result = login.result, None
        return result

    async def cancel(self, agent: int) -> None:
        """End a login of an agent that goes on."""
        login = self._of.pop(agent, None)
        if login and (task := self._tasks.get(login)):
            task.cancel()
            await asyncio.wait({task}, timeout=5)

    def give_code(self, agent: int, code: str) -> None:
        """Pass on what the page of a login showed. ConflictError where none waits for it."""
        login = self._of.get(agent)
        if login is None or login.over or not login.needs_code:
            raise ConflictError(
                "no login of this agent waits for a code", hint=Hint(shell=f"POST /api/agents/{agent}/login")
            )
        login.codes.put_nowait(code)

    def _go(self, login: Login, work: Callable[[], Any]) -> None:
        if len(self._tasks) >= MOST:
            raise ConflictError("too many logins go on at once; try again in a minute")
        task = asyncio.get_running_loop().create_task(work())
        self._tasks[login] = task
        task.add_done_callback(lambda _: self._tasks.pop(login, None))

    async def _end(self, agent: Agent, owner: str, login: Login) -> None:
        settled = await agents.settle(
            self._database, self._settings, agent.id, login.status, detail=login.detail, login=login.result
        )
        login.result = None
        self._tell(agent, owner, login)
        if settled and login.status == "ready" and self.on_ready:
            await self.on_ready(settled)

    def _tell(self, agent: Agent, owner: str, login: Login) -> None:
        data = {"agent": agent.id, "name": agent.name, "login": told(agent.way, login)}
        self._hub.publish("login", owner=owner, session="", data=data)


async def _drive(login: Login, way: Way) -> None:
    """Bring a login to its end, whatever that is."""
    status = "ready"
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            login.result = await way(login)
    except AgentSessionError as error:
        status, login.detail = status_of(error), error.message
    except TimeoutError:
        status, login.detail = "expired", "nobody finished the login in time"
    except Exception as error:  # the edge of a task: nobody else would hear of it
        LOG.error("a login failed", kind=type(error).__name__)  # its words may hold a secret
        status, login.detail = "failed", "this is a bug in agent-session; its log says more"
    login.end(status)


def told(way: str, login: Login) -> dict[str, Any]:
    """Tell how a login stands; never what came of it."""
    return {
        "way": way,
        "status": login.status,
        "url": login.url or None,
        "user_code": login.user_code or None,
        "needs_code": login.needs_code,
        "expires_at": login.expires_at.isoformat().replace("+00:00", "Z") if login.expires_at else None,
        "detail": login.detail or None,
    }
