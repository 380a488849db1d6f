"""`agent-session controller`: one container a session for a backend of another account or machine.

Its requests are those of the documents' controller, with X-Service-Secret. It sees and removes only what it
made itself: the owner in the container's label says so.
"""

import secrets
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AliasChoices, BaseModel, Field

from agent_session import __version__
from agent_session.activity import agent_command
from agent_session.agents.stored_login import StoredLogin
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError, ConfigurationError, Hint, UsageError
from agent_session.host.clock import utc
from agent_session.server import agents, logs, problems, sessions, team
from agent_session.server import serve as serving
from agent_session.server.agent_logins import github
from agent_session.server.auth import ownership
from agent_session.server.auth.scopes import ALL, Caller
from agent_session.server.settings import Settings
from agent_session.server.threads import Threads
from agent_session.sessions import find
from agent_session.sessions.errors import SessionStopped
from agent_session.sessions.installation import Installation
from agent_session.sessions.session import Session

PORT = 8001
KIND = "opencode"
"""The agent of the documents' sessions."""
NO_AGENT = "none"
"""The account of a session without one of the backend's agents; never this machine's logins."""
MOST_SECRETS = 2
"""So that backend and controller can be given a new one in turn."""
ITSELF = Caller(
    user=uuid.UUID(int=0), login="controller", scopes=ALL, way="X-Service-Secret", owner="controller"
)


class NewAgentSession(BaseModel):
    """A session for an agent of the backend, with the agent's token at GitHub."""

    session_id: str = Field(min_length=1, max_length=63)
    agent_id: int = Field(ge=0, lt=2**63)
    agent_token: str = Field(min_length=1, max_length=10_000)
    title: str | None = Field(default=None, max_length=200)


class NewPlainSession(BaseModel):
    """A session, perhaps with a token at GitHub; its agent is none of the backend's."""

    session_id: str = Field(min_length=1, max_length=63)
    github_token: str | None = Field(default=None, min_length=1, max_length=10_000)
    title: str | None = Field(default=None, max_length=200)


class NewToken(BaseModel):
    """Another token for a session's agent."""

    agent_token: str = Field(
        min_length=1, max_length=10_000, validation_alias=AliasChoices("agent_token", "github_token", "token")
    )


class Run(BaseModel):
    """How the container of a session is started; images and variables are those of the agent's folder."""

    image: str | None = None
    environment: dict[str, str] = {}
    is_agent: bool = True
    agent_token: str | None = Field(default=None, min_length=1, max_length=10_000)


def read_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secrets that a backend may send. Raises ConfigurationError, Unsafe for a guessable one."""
    found = tuple(one.strip() for one in settings.service_secret.get_secret_value().split(",") if one.strip())
    if not 1 <= len(found) <= MOST_SECRETS:
        raise ConfigurationError(
            "AGENT_SESSION_SERVICE_SECRET",
            "the controller needs one secret, or two while a new one takes the place of the old one",
            hint=Hint(shell="export AGENT_SESSION_SERVICE_SECRET=$(openssl rand -hex 32)"),
        )
    for one in found:
        team.check_secret("SERVICE_SECRET", one)
    return found


def create(settings: Settings, engine: Engine, installation: Installation) -> FastAPI:
    """Make the controller's application. Raises ConfigurationError for its secrets."""
    known = [one.encode() for one in read_secrets(settings)]
    app = FastAPI(title="agent-session controller", version=__version__, docs_url=None, redoc_url=None)
    threads = Threads()
    app.state.controller = settings, engine, installation, threads

    async def of_service(x_service_secret: Annotated[str, Header()]) -> None:
        sent = x_service_secret.encode("utf-8", "surrogateescape")
        matches = [secrets.compare_digest(sent, one) for one in known]  # all of them, in the same time
        if not any(matches):
            raise HTTPException(401, "Invalid service secret")

    @app.exception_handler(AgentSessionError)
    async def _(_request: Request, error: AgentSessionError) -> JSONResponse:
        return problems.answer(error)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the controller answers."""
        return {"status": "healthy", "timestamp": utc(datetime.now(UTC))}

    app.include_router(router, dependencies=[Depends(of_service)])
    return app


router = APIRouter()


@router.post("/sessions/agent")
async def create_agent_session(new: NewAgentSession, request: Request) -> dict[str, Any]:
    """Make a session and wait until it is up. 409 where there is one of that name."""
    return await _make(request, new.session_id, new.title, str(new.agent_id), new.agent_token)


@router.post("/sessions")
async def create_plain_session(new: NewPlainSession, request: Request) -> dict[str, Any]:
    """Make a session and wait until it is up; without a token it has no login. 409 as above."""
    return await _make(request, new.session_id, new.title, NO_AGENT, new.github_token)


@router.put("/sessions/{name}/auth")
async def change_auth(name: str, new: NewToken, request: Request) -> dict[str, str]:
    """Give a session's agent another token; one that runs has it at once. 409 for one that is stopped."""
    session = await _get(request, name)
    settings, engine, installation, threads = request.app.state.controller
    if not session.running:
        raise SessionStopped(name)

    def give() -> None:
        content = agents.written(_login(settings, installation, new.agent_token)).encode()
        agent_command.object_of(engine, session, ["take-login"], stdin=content)

    await threads.run(give)
    return {"status": "updated", "session_id": name}


@router.post("/sessions/{name}/run")
async def run_agent_session(name: str, request: Request, how: Run | None = None) -> dict[str, Any]:
    """Start a stopped session; its agent's login is where it was, unless another token comes along."""
    new = how or Run()
    if new.image or new.environment:
        raise UsageError(
            "images and variables are those of the agent's folder", hint=Hint("agents", note="docs/agents.md")
        )
    session = await _get(request, name)
    settings, engine, installation, threads = request.app.state.controller
    login = _login(settings, installation, new.agent_token)
    started = await threads.run(lambda: sessions.ensure_running(engine, installation, session, login))
    return _told(started)


@router.post("/containers/cleanup-orphans")
async def cleanup_orphans() -> dict[str, Any]:
    """Remove nothing: a session's container is its record, so none that the controller made is an orphan."""
    return {"orphans_cleaned": 0, "details": []}


@router.get("/sessions")
async def list_agent_sessions(request: Request) -> dict[str, Any]:
    """List the sessions that the controller made."""
    return {"sessions": [_told(one) for one in await _all(request)]}


@router.get("/sessions/{name}")
async def get_agent_session(name: str, request: Request) -> dict[str, Any]:
    """Tell about one of them."""
    return _told(await _get(request, name))


@router.get("/sessions/{name}/status")
async def agent_session_status(name: str, request: Request) -> dict[str, Any]:
    """Tell whether its container runs."""
    session = await _get(request, name)
    return {
        "session_id": name, "session_status": "active", "container_id": session.id,
        "container_status": _status(session), "container_running": session.running,
    }  # fmt: skip


@router.get("/sessions/{name}/logs")
async def agent_session_logs(
    name: str, request: Request, tail: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, str]:
    """Tell what its container printed last."""
    session = await _get(request, name)
    _, engine, _, threads = request.app.state.controller
    text = await threads.run(lambda: engine.log_tail(session.container))
    return {"logs": "\n".join(text.splitlines()[-tail:]), "session_id": name}


@router.post("/sessions/{name}/stop")
async def stop_agent_session(name: str, request: Request) -> dict[str, str]:
    """Stop one of them; all that it holds stays."""
    session = await _get(request, name)
    _, engine, installation, threads = request.app.state.controller
    if session.running:
        await threads.run(lambda: sessions.stop(engine, installation, session))
    return {"status": "stopped", "session_id": name}


@router.delete("/sessions/{name}")
async def delete_agent_session(name: str, request: Request) -> dict[str, str]:
    """Stop and remove one of them, with its volumes."""
    session = await _get(request, name)
    _, engine, installation, threads = request.app.state.controller
    await threads.run(lambda: sessions.remove(engine, installation, session, discard_work=True))
    return {"status": "deleted", "session_id": name}


@router.get("/containers/running")
async def running_containers(request: Request) -> dict[str, Any]:
    """List the containers that the controller made and that run."""
    found = [
        {
            "container_id": one.id[:12], "container_name": one.container, "session_id": one.name,
            "status": "running", "created": utc(one.created),
        }
        for one in await _all(request)
        if one.running
    ]  # fmt: skip
    return {"containers": found, "count": len(found)}


def serve(
    settings: Settings,
    engine: Engine,
    installation: Installation,
    ready: Callable[[str], object],
) -> None:
    """Serve until somebody ends it; `ready` gets the address."""
    logs.configure()
    app = create(settings, engine, installation)
    with closing(serving.bound(settings.host, settings.port or PORT)) as listening:
        engine.connect_soon()
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False,
            ssl_certfile=settings.tls_cert, ssl_keyfile=settings.tls_key,
            timeout_graceful_shutdown=serving.END_SECONDS, workers=1,
        )  # fmt: skip
        scheme = "https" if settings.tls_cert else "http"
        address = f"{scheme}://{settings.host}:{listening.getsockname()[1]}"
        server = serving.Serving(config, ready=lambda: ready(address), closing=lambda: None)
        server.run(sockets=[listening])


async def _make(
    request: Request, name: str, title: str | None, account: str, token: str | None
) -> dict[str, Any]:
    settings, engine, installation, threads = request.app.state.controller

    def make() -> Session:
        login = _login(settings, installation, token)
        wanted = sessions.Wanted(
            title=title or "", name=name, projects=(), mount=False, auto_approve=False,
            agent=agents.Chosen(kind=KIND, account=account, login=login),
        )  # fmt: skip
        return sessions.create(engine, installation, ITSELF, wanted, lambda _line: None)[0]

    return _told(await threads.run(make))


def _login(settings: Settings, installation: Installation, token: str | None) -> StoredLogin:
    """The login that a token is; the machine's own are for no session of the controller."""
    kind = installation.agent(KIND)
    return github.stored(settings, kind, token) if kind and token else StoredLogin()


async def _all(request: Request) -> list[Session]:
    _, engine, _, threads = request.app.state.controller
    found: list[Session] = await threads.run(lambda: find.list_sessions(engine))
    return [one for one in found if one.owner == ITSELF.owner]


async def _get(request: Request, name: str) -> Session:
    _, engine, _, threads = request.app.state.controller
    found: Session = await threads.run(lambda: ownership.get(engine, ITSELF, name))
    return found


def _status(session: Session) -> str:
    return "running" if session.running else "exited"


def _told(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.name,
        "agent_id": int(session.account) if session.account.isdecimal() else None,
        "container_id": session.id,
        "container_status": _status(session),
        "base_url": f"http://{session.container}:4096",
        "created_at": utc(session.created),
    }
