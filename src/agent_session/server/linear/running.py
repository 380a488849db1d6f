"""The tasks of the server that are Linear's: sending, working, and what is due with time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from agent_session.errors import AgentSessionError
from agent_session.server.linear import sender, upkeep, worker, workspaces
from agent_session.server.linear.changing import changing
from agent_session.server.linear.errors import LinearFailed
from agent_session.server.linear.tables import Workspace

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LOG = structlog.get_logger("agent-session")
AGAIN_SECONDS = 5.0
LOOK_SECONDS = 1.0
SIGNS = timedelta(minutes=5)
IMPORTED_FIRST = ("httpx2", "cryptography.fernet")
"""What would otherwise be imported while the first webhook waits."""


def begin(parts: "Parts") -> list["asyncio.Task[None]"]:
    """Begin what Linear needs; nothing where it is not set up."""
    if not parts.settings.linear.enabled:
        return []
    for name in IMPORTED_FIRST:
        import_module(name)
    if parts.settings.linear.session_storage_url.startswith("redis"):
        LOG.warning("SESSION_STORAGE_URL names Redis, which is not needed: the database keeps sessions")
    works = (_connect, sender.send, worker.do_all, _keep_up)
    return [asyncio.create_task(_for_ever(parts, work)) for work in works]


async def _for_ever(parts: "Parts", work: Callable[["Parts"], Awaitable[None]]) -> None:
    """Begin again after a failure of the database's, or a bug."""
    while not parts.hub.closing.is_set():
        try:
            await work(parts)
            return
        except Exception:
            LOG.exception("a task for Linear failed, and begins again", task=work.__name__)
            await asyncio.sleep(AGAIN_SECONDS)


async def _keep_up(parts: "Parts") -> None:
    interval = timedelta(minutes=parts.settings.linear.session_cleanup_interval_minutes)
    due = cleaning = parts.linear.now()
    while not parts.hub.closing.is_set():
        now = parts.linear.now()
        if now >= due:
            due = now + min(interval, SIGNS)  # signs of life cannot wait for a long interval
            await upkeep.once(parts, cleaning=now >= cleaning)
            cleaning = now + interval if now >= cleaning else cleaning
        await asyncio.sleep(LOOK_SECONDS)


async def _connect(parts: "Parts") -> None:
    """Reach the workspace of a given token, or of the app's own, so that we know who we are there."""
    while not parts.hub.closing.is_set():
        async with changing(parts) as db:
            if await db.scalar(select(Workspace.organization).where(Workspace.status == "ready").limit(1)):
                return
        try:
            await workspaces.connect(parts)
            return
        except LinearFailed as error:
            LOG.warning("Linear was not reached", reason=error.message)
            await asyncio.sleep(AGAIN_SECONDS)
        except AgentSessionError as error:
            LOG.info("the app is to be installed at GET /linear/install", reason=error.message)
            return
