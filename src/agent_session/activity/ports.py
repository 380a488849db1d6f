"""The ports of a running session: what listens on them, and a forward from this machine to one.

A forward is a command in the container for each connection, so nothing of the session is made anew, and it
also reaches what listens on the session's own loopback.
"""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_session import inside, sanitize
from agent_session.activity import port_program
from agent_session.engine.protocol import Engine
from agent_session.engine.published import Published
from agent_session.errors import EngineRefused
from agent_session.host.signals import uninterrupted
from agent_session.sessions.session import Session

SECONDS = 20
MOST = 200
"""Ports that are told; a program of the agent's can open thousands."""
NAME_LENGTH = 40
CONNECTIONS = 64
"""At once. Others wait."""
LOOKED_EACH = 0.05
"""Seconds between two looks at which connections have ended."""
GRACE = 2.0
"""Seconds that connections have to end."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """A TCP port of a session that something listens on."""

    port: int
    program: str
    """Its name as the session tells it; "" where it is not known."""
    loopback: bool
    """Whether it listens on the session's own loopback alone."""


def listening(engine: Engine, session: Session) -> list[Listening]:
    """List the ports of a running session that something listens on, by number.

    What a session tells is a stranger's: what does not fit is left out. Raises EngineRefused.
    """
    done = engine.exec(session.container, _command("list"), timeout=SECONDS)
    if done.exit_code:
        raise EngineRefused(f"the ports of '{session.name}' cannot be looked at: {done.message}")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = []
    found = (_read(one) for one in (told if isinstance(told, list) else []))
    return [one for one in found if one][:MOST]


def _read(told: object) -> Listening | None:
    if not isinstance(told, dict):
        return None
    port, program, loopback = told.get("port"), told.get("program"), told.get("loopback")
    if type(port) is not int or not 0 < port < 65536 or not isinstance(program, str):
        return None
    return Listening(port=port, program=sanitize.line(program, NAME_LENGTH), loopback=loopback is True)


def listener(port: int) -> socket.socket:
    """Listen on a port of this machine's loopback. Raises OSError."""
    return socket.create_server(("127.0.0.1", port))


def forward(
    engine: Engine, session: Session, wanted: Published, listener: socket.socket, *, ended: Callable[[], bool]
) -> None:
    """Forward each connection of `listener` to the session's port, until `ended` says so.

    `ended` is asked several times a second. However it ends, its connections end with it.
    """
    words = _command("connect", str(wanted.inside))
    argv = engine.attach_command(session.container, words, {}, terminal=False)
    open_ones: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []
    listener.settimeout(LOOKED_EACH)
    try:
        while not ended():
            open_ones = [one for one in open_ones if not _closed(*one)]
            if len(open_ones) >= CONNECTIONS:
                time.sleep(LOOKED_EACH)
                continue
            with contextlib.suppress(TimeoutError):
                open_ones.append(_joined(listener.accept()[0], argv))
    finally:
        with uninterrupted():
            _end(open_ones)


def _joined(
    connection: socket.socket, argv: Sequence[str]
) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Give a connection to a command as its streams. In a group of its own: Ctrl-C is for us."""
    connection.setblocking(True)
    streams = connection.fileno()
    try:
        process = subprocess.Popen(
            argv, stdin=streams, stdout=streams, stderr=subprocess.DEVNULL, process_group=0
        )
    except BaseException:
        connection.close()
        raise
    return connection, process


def _closed(connection: socket.socket, process: "subprocess.Popen[bytes]") -> bool:
    """Whether a connection's command has ended; then the connection is closed."""
    if process.poll() is None:
        return False
    connection.close()
    return True


def _end(open_ones: Sequence[tuple[socket.socket, "subprocess.Popen[bytes]"]]) -> None:
    """End all connections: by their streams first, so that nothing is left in the container."""
    for connection, _ in open_ones:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    deadline = time.monotonic() + GRACE
    for connection, process in open_ones:
        try:
            process.wait(max(0.01, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        connection.close()


def _command(*words: str) -> list[str]:
    text = Path(port_program.__file__).read_text(encoding="utf-8")
    return [inside.PYTHON, "-I", "-c", text, *words]
