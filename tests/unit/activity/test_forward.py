"""A forward to a port, with the program that runs in the session as a process of this machine."""

import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent_session import inside
from agent_session.activity import ports
from agent_session.engine.published import Published
from agent_session.sessions.session import Session

SESSION = Session(
    name="web",
    agent="shell",
    status="running",
    projects=(),
    created=datetime.now(UTC),
    container="c",
    image="i",
)


class Here:
    """An engine whose containers are this machine."""

    def attach_command(self, _name: str, command: Sequence[str], *_: object, **__: object) -> list[str]:
        return [sys.executable if word == inside.PYTHON else word for word in command]


@contextmanager
def forwarded(port: int) -> Iterator[int]:
    """A port of this machine from which a forward leads to `port`."""
    over = threading.Event()
    with ports.listener(0) as listener:
        thread = threading.Thread(
            target=lambda: ports.forward(
                cast("Any", Here()), SESSION, Published(0, port), listener, ended=over.is_set
            )
        )
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def echo() -> Iterator[int]:
    """A port on which all that comes is sent back, in capital letters, until its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(peer: socket.socket) -> None:
            with peer, suppress(OSError):
                while piece := peer.recv(1 << 16):
                    peer.sendall(piece.upper())

        def serve() -> None:
            while True:
                try:
                    peer = server.accept()[0]
                except OSError:
                    return
                threading.Thread(target=answer, args=(peer,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_what_is_sent_comes_back_also_a_megabyte_of_it(echo: int) -> None:
    sent = b"hello" * 200_000
    with forwarded(echo) as port, socket.create_connection(("127.0.0.1", port), timeout=30) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        came = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert came == sent.upper()


def test_several_connections_are_forwarded_at_once(echo: int) -> None:
    with forwarded(echo) as port:
        clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(5)]
        for number, client in enumerate(clients):
            client.sendall(b"a%d" % number)
        assert [client.recv(10) for client in clients] == [b"A0", b"A1", b"A2", b"A3", b"A4"]
        for client in clients:
            client.close()


def test_a_connection_to_nothing_is_closed(echo: int) -> None:  # noqa: ARG001
    with socket.create_server(("127.0.0.1", 0)) as server:
        nothing = server.getsockname()[1]
    with forwarded(nothing) as port, socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        assert client.recv(10) == b""


def test_the_end_of_a_forward_ends_its_connections(echo: int) -> None:
    with forwarded(echo) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        client.sendall(b"x")
        assert client.recv(1) == b"X"
    assert client.recv(1) == b""
    client.close()


def test_what_listens_is_listed_with_its_program(echo: int, capsys: pytest.CaptureFixture[str]) -> None:
    from agent_session.activity import port_program

    found = {one["port"]: one for one in port_program.listening()}
    assert found[echo]["loopback"] is True
    assert found[echo]["program"]
    assert SimpleNamespace(**found[echo]).port == echo
    assert capsys.readouterr() == ("", "")
