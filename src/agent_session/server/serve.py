"""Runs the server: on a port that stays the same, alone in its directory, down within five seconds."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from agent_session.errors import ConfigurationError, ConflictError, Hint
from agent_session.host import atomic
from agent_session.server import app as application
from agent_session.server import links, logs
from agent_session.server.database import schema
from agent_session.server.database.connection import connect
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation

END_SECONDS = 3
"""What open requests have, to end in, when the server is asked to."""
BACKLOG = 2048


class Serving(uvicorn.Server):
    """uvicorn, which says when it is ready, and ends streams when it ends."""

    def __init__(
        self, config: uvicorn.Config, *, ready: Callable[[], object], closing: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams with a reason, then the rest."""
        self._closing()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    settings: Settings,
    environment: Mapping[str, str],
    installation: Installation,
    ready: Callable[[str, str], object],
) -> None:
    """Serve until somebody ends it; `ready` gets the address and a link that logs a browser in.

    Raises ConfigurationError, ConflictError where another one serves from the same state, SchemaDiffers.
    """
    logs.configure()
    with _alone(settings), application.podman(environment) as engine:
        schema.make_ready(settings)
        listening = _listen(settings)
        with listening:
            address = links.base(settings, listening.getsockname()[1])
            engine.connect_soon()  # from this thread, which outlives all others
            parts = application.assemble(settings, engine, installation)
            link = f"{address}/" if settings.is_team else new_link(settings, address)
            config = uvicorn.Config(
                application.create(parts),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=settings.behind_proxy,
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                timeout_graceful_shutdown=END_SECONDS,
                workers=1,
            )
            server = Serving(config, ready=lambda: ready(address, link), closing=parts.hub.close)
            before = signal.signal(signal.SIGHUP, server.handle_exit)
            try:
                server.run(sockets=[listening])
            finally:
                signal.signal(signal.SIGHUP, before)


def new_link(settings: Settings, address: str) -> str:
    """Make a link that logs a browser of the local user in."""

    async def make() -> str:
        database = connect(settings.url)
        try:
            return await links.new(database, address)
        finally:
            await database.close()

    return asyncio.run(make())


def running_address(settings: Settings) -> str:
    """Return the address of the server that runs now. ConflictError where none does."""
    if not _is_served(settings):
        raise ConflictError("agent-session serve does not run", hint=Hint("serve"))
    return links.base(settings, _remembered(settings))


def _is_served(settings: Settings) -> bool:
    try:
        with _alone(settings):
            return False
    except ConflictError:
        return True


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one server at a time serve from a state directory; the kernel forgets it when its process ends."""
    settings.server_state.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(settings.server_state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                "agent-session serve runs already", hint=Hint("serve", ["--url"], note="a new link to it")
            ) from None
        yield
    finally:
        os.close(descriptor)


def _listen(settings: Settings) -> socket.socket:
    """Open the port that was chosen, or the one of the last time, or a free one, which is remembered."""
    chosen = settings.port or _remembered(settings)
    try:
        listening = bound(settings.host, chosen)
    except OSError as error:
        if settings.port or not chosen:
            raise ConfigurationError(
                f"{settings.host}:{settings.port}",
                f"it cannot be listened on: {error.strerror or error}",
                hint=Hint("serve", ["--port", "0"], note="a free one"),
            ) from error
        listening = bound(settings.host, 0)
    atomic.replace(settings.server_state / "port", b"%d\n" % listening.getsockname()[1])
    return listening


def bound(host: str, port: int) -> socket.socket:
    """Open a port; 0: a free one. OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _remembered(settings: Settings) -> int:
    with contextlib.suppress(OSError, ValueError):
        port = int((settings.server_state / "port").read_text())
        return port if 0 < port < 65536 else 0
    return 0
