"""A server in this process, on a loopback port, with an engine in memory; and who asks it."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import uvicorn
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server import app as application
from agent_session.server import links, logs
from agent_session.server.auth import devices, tokens, users
from agent_session.server.auth.scopes import SCOPES
from agent_session.server.database import schema
from agent_session.server.database.connection import connect
from agent_session.server.database.models import User
from agent_session.server.parts import Parts
from agent_session.server.serve import Serving, bound
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine

SECONDS = 30
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running server."""

    settings: Settings
    parts: Parts
    url: str
    engine: FakeEngine
    loop: asyncio.AbstractEventLoop

    def database(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Do some work on its database, beside it."""

        async def run() -> T:
            database = connect(self.settings.url)
            try:
                async with database.transaction() as session:
                    return await work(session)
            finally:
                await database.close()

        return asyncio.run(run())

    def token(self, *scopes: str, login: str = "local", **more: Any) -> str:
        """A token's word, of all scopes where none is named."""

        async def make(session: AsyncSession) -> str:
            user = await _user(session, login)
            name = f"token {datetime.now(UTC).timestamp()}"
            _, word = await tokens.create(session, user, name, scopes=scopes or SCOPES, **more)
            return word

        return self.database(make)

    def cookie(self, login: str = "local") -> str:
        """A browser's cookie."""

        async def make(session: AsyncSession) -> str:
            return await devices.log_in(
                session, await _user(session, login), browser="test", address="127.0.0.1"
            )

        return self.database(make)

    def link(self) -> str:
        """A link that logs in once."""

        async def make() -> str:
            database = connect(self.settings.url)
            try:
                return await links.new(database, self.url)
            finally:
                await database.close()

        return asyncio.run(make())

    @contextlib.contextmanager
    def client(self, token: str | None = None, **headers: str) -> Iterator[httpx2.Client]:
        """A program; without a token it has no login."""
        login = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx2.Client(
            base_url=self.url, headers=login | headers, timeout=SECONDS, trust_env=False
        ) as client:
            yield client


async def _user(session: AsyncSession, login: str) -> User:
    if login == "local":
        return await users.local(session)
    from sqlalchemy import select

    found = await session.scalar(select(User).where(User.login == login))
    if found is None:
        found = User(login=login, github_id=abs(hash(login)) % 10**9, created_at=datetime.now(UTC))
        session.add(found)
        await session.flush()
    return found


@contextlib.contextmanager
def serving(
    state: Path,
    engine: FakeEngine,
    installation: Installation | None = None,
    **chosen: Any,
) -> Iterator[Served]:
    """Serve from a state directory while the block lasts, and `grace` seconds (3) for open requests."""
    grace: int = chosen.pop("grace", 3)
    logs.configure()
    settings = Settings(**{"server_state": state, **chosen})
    state.mkdir(parents=True, exist_ok=True)
    schema.upgrade(settings)
    listening = bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    installation = installation or Installation(environment={}, home=state)
    parts = application.assemble(settings, engine, installation)
    ready = threading.Event()
    config = uvicorn.Config(
        application.create(parts), log_config=None, access_log=False, timeout_graceful_shutdown=grace
    )
    server = Serving(config, ready=ready.set, closing=parts.hub.close)
    failures: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listening])

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(serve())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(SECONDS), failures
        yield Served(
            settings=settings, parts=parts, url=f"http://127.0.0.1:{port}", engine=engine, loop=loops[0]
        )
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        listening.close()
        assert not thread.is_alive()
    assert not failures, failures
