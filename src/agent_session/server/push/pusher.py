"""Notifications of sessions: one an episode, a minute apart, not to a browser that shows the session."""

import asyncio
import base64
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from agent_session.activity.state import State
from agent_session.server.database.connection import Database
from agent_session.server.database.models import PushSubscription
from agent_session.server.push import subscriptions, vapid
from agent_session.server.push.encryption import as_bytes, encrypt
from agent_session.server.push.presence import Presence
from agent_session.server.settings import Settings
from agent_session.sessions.session import Session

if TYPE_CHECKING:
    import httpx2

AFTER_SECONDS = {"waiting": 5.0, "finished": 2.0, "failed": 0.0}
"""How long something must have lasted before it is told."""
WORDS = {"waiting": "waits for you", "finished": "has finished", "failed": "has failed"}
APART_SECONDS = 60.0
"""Between two notifications of one session; what comes sooner is told then, where it still is so."""
KEPT_SECONDS = 4 * 3600
"""How long a push service keeps one for a browser that is away."""
SECONDS = 15
LOG = structlog.get_logger("agent-session")


@dataclass(frozen=True, kw_only=True)
class Episode:
    """Something of a session that a person is told once."""

    kind: str
    since: datetime | None
    question: str


@dataclass(kw_only=True)
class _Told:
    """What is known of one session."""

    value: str = ""
    last: Episode | None = None
    sent: float = float("-inf")
    waiting: Episode | None = None
    task: "asyncio.Task[None] | None" = None


class Pusher:
    """What browsers are told of all sessions. Everything in it happens in the event loop."""

    def __init__(self, database: Database, settings: Settings, presence: Presence) -> None:
        self._database = database
        self._settings = settings
        self._presence = presence
        self._sessions: dict[str, _Told] = {}
        self._began = datetime.now(UTC)

    def on_state(self, session: Session, state: State) -> None:
        """Take a session's new state; what was so before the server began is told by the earlier one."""
        known = self._sessions.setdefault(session.name, _Told())
        episode = self._episode(known.value, session, state)
        known.value = state.value
        if known.task and episode != known.waiting:
            known.task.cancel()
            known.task = None
        if episode is None or episode == known.last or known.task:
            return
        rest = max(AFTER_SECONDS[episode.kind], known.sent + APART_SECONDS - time.monotonic())
        known.waiting = episode
        known.task = asyncio.get_running_loop().create_task(self._tell(known, session, state, episode, rest))

    def on_gone(self, session: Session) -> None:
        """Forget a session."""
        known = self._sessions.pop(session.name, None)
        if known and known.task:
            known.task.cancel()

    def _episode(self, before: str, session: Session, state: State) -> Episode | None:
        if not session.running or (not before and state.since and state.since < self._began):
            return None
        kind: str = state.value if state.value in {"waiting", "failed"} else ""
        if state.value == "idle" and before in {"working", "waiting"}:
            kind = "finished"
        question = state.question.id or state.question.text if state.question else ""
        return Episode(kind=kind, since=state.since, question=question) if kind else None

    async def _tell(
        self, known: _Told, session: Session, state: State, episode: Episode, rest: float
    ) -> None:
        await asyncio.sleep(rest)
        known.task = None
        known.last, known.sent = episode, time.monotonic()
        reason = state.question.text if state.question else state.reason
        message = {
            "title": f"{(session.title or session.name)[:120]} {WORDS[episode.kind]}",
            "body": reason.strip()[:300],
            "tag": session.name,
            "url": f"/sessions/{session.name}",
        }
        await self._send_all(session, episode.kind, json.dumps(message).encode())

    async def _send_all(self, session: Session, kind: str, message: bytes) -> None:
        async with self._database.transaction() as db:
            found = await subscriptions.of_owner(db, session.owner)
        wanted = [one for one in found if not self._presence.shows(one.device_id, session.name)]
        if not wanted:
            return
        import httpx2  # only a server whose browsers want notifications pays for it

        async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
            await asyncio.gather(*(self._send(client, one, session.name, kind, message) for one in wanted))

    async def _send(
        self, client: "httpx2.AsyncClient", to: PushSubscription, name: str, kind: str, message: bytes
    ) -> None:
        """Send one; a browser that is not there any more is not told again."""
        import httpx2

        host = urlsplit(to.endpoint).hostname
        headers = {
            "authorization": vapid.authorization(self._settings, to.endpoint),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(KEPT_SECONDS),
            "topic": base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest())[:32].decode(),
            "urgency": "high" if kind == "waiting" else "normal",
        }
        try:
            subscriptions.check(to.endpoint, self._settings.push_hosts)
            body = encrypt(message, p256dh=as_bytes(to.p256dh), auth=as_bytes(to.auth))
            answer = await client.post(to.endpoint, content=body, headers=headers)
        except (httpx2.HTTPError, ValueError) as error:
            LOG.warning("a notification was not sent", host=host, reason=type(error).__name__)
            return
        if answer.status_code in {404, 410}:
            async with self._database.transaction() as db:
                await subscriptions.drop(db, to.device_id)
        elif answer.status_code >= 300:
            LOG.warning("a push service refused a notification", host=host, status=answer.status_code)
