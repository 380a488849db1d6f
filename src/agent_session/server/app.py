"""The application: its parts are put together here, and here Podman is chosen."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from agent_session import __version__
from agent_session.activity.state import State
from agent_session.engine.podman.engine import PodmanEngine
from agent_session.engine.protocol import Engine
from agent_session.server import agents, idle, kept_answers, problems
from agent_session.server.agent_logins import delivery
from agent_session.server.agent_logins.logins import Logins
from agent_session.server.api import (
    agent_sessions,
    changes,
    chat,
    device_flow,
    events,
    files,
    github_login,
    health,
    logins,
    models,
    push,
    sessions,
    shares,
    tokens,
)
from agent_session.server.api import (
    agents as agents_of_users,
)
from agent_session.server.audit import AuditLog
from agent_session.server.auth import people
from agent_session.server.auth.guesses import Guesses
from agent_session.server.database import connection
from agent_session.server.events import Hub
from agent_session.server.limits import Limits
from agent_session.server.linear import install as linear_install
from agent_session.server.linear import running as linear
from agent_session.server.linear import webhook as linear_webhook
from agent_session.server.metrics import Metrics
from agent_session.server.parts import Parts
from agent_session.server.push.presence import Presence
from agent_session.server.push.pusher import Pusher
from agent_session.server.requests import Requests
from agent_session.server.roots import Roots
from agent_session.server.settings import Settings
from agent_session.server.threads import Threads
from agent_session.server.turns import Turns
from agent_session.server.walls import HeadersOfAll, Walls
from agent_session.server.watching import Watching
from agent_session.server.web import page as web
from agent_session.server.web.visitors import Visitors
from agent_session.sessions.installation import Installation
from agent_session.sessions.session import Session

ABOUT = "Sessions of AI coding agents, each in a container of its own. Errors: {detail, code, hints}."


def podman(environment: Mapping[str, str]) -> AbstractContextManager[Engine]:
    """Return the engine of a server of this machine."""
    engine: AbstractContextManager[Engine] = PodmanEngine(environment)
    return engine


def assemble(settings: Settings, engine: Engine, installation: Installation) -> Parts:
    """Make a server's parts. Nothing is reached yet."""
    database = connection.connect(settings.url)
    hub, metrics = Hub(), Metrics()
    watching, turns = Watching(engine, hub, metrics), Turns(engine, database, hub, metrics)
    presence = Presence()
    pusher = Pusher(database, settings, presence)

    def on_state(session: Session, state: State) -> None:
        turns.on_state(session, state)
        pusher.on_state(session, state)

    def on_gone(session: Session) -> None:
        turns.on_gone(session)
        pusher.on_gone(session)

    watching.on_state, watching.on_gone = on_state, on_gone
    parts = Parts(
        settings=settings,
        engine=engine,
        installation=installation,
        database=database,
        audit=AuditLog(database=database, file=settings.server_state / "audit.jsonl"),
        metrics=metrics,
        guesses=Guesses(),
        hub=hub,
        watching=watching,
        turns=turns,
        limits=Limits(settings),
        roots=Roots(),
        threads=Threads(),
        logins=Logins(database, settings, hub),
        presence=presence,
        pusher=pusher,
        visitors=Visitors(),
    )
    parts.logins.on_ready = partial(delivery.deliver, parts)
    return parts


def create(parts: Parts) -> FastAPI:
    """Make the application of a server."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await kept_answers.forget_unfinished(parts.database)
        await agents.forget_pending(parts.database)
        await parts.turns.restore()
        if parts.settings.is_team:
            async with parts.database.transaction() as session:
                await people.obey_lists(session, parts.settings)
        parts.watching.begin()
        culling = None
        if text := parts.settings.idle_stop:
            culling = asyncio.create_task(idle.stop_idle(parts, idle.lasts(text)))
        for_linear = linear.begin(parts)
        yield
        for task in for_linear:
            task.cancel()
        await asyncio.gather(*for_linear, return_exceptions=True)
        if culling:
            culling.cancel()
        await parts.database.close()

    app = FastAPI(
        title="agent-session",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.parts = parts
    problems.install(app)
    for module in (
        health,
        logins,
        github_login,
        device_flow,
        tokens,
        agents_of_users,
        sessions,
        shares,
        push,
        chat,
        files,
        changes,
        models,
        events,
        agent_sessions,
        linear_webhook,
        linear_install,
    ):
        app.include_router(module.router)
    for router in web.ROUTERS:
        app.include_router(router)
    app.add_middleware(Walls, names=parts.settings.names())
    app.add_middleware(Requests, parts=parts)
    app.add_middleware(HeadersOfAll)
    return app
