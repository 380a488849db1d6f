"""Podman's API over a socket: answers as they were sent, and none that is only half of one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_session.engine.podman.http import Client

WHOLE = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nLibpod-Api-Version: 4.3.1\r\nConnection: close\r\n\r\n[1,2,3]"
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
REFUSED = b'HTTP/1.1 500 Oh\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"message": "no"}'

Asked = list[bytes]


@contextmanager
def serving(folder: Path, answer: bytes) -> Iterator[tuple[Client, Asked]]:
    """A server that hears one request and answers this; a client, and what was heard."""
    heard: Asked = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(1 << 16))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Client(str(folder / "s"), timeout=10), heard
        finally:
            thread.join()


def test_an_answer_is_read(tmp_path: Path) -> None:
    with serving(tmp_path, WHOLE) as (client, heard):
        answer = client.request(
            "GET", "/containers/json", params={"all": True, "filters": '{"label": ["a=b c"]}'}
        )
    assert (answer.status_code, answer.json(), answer.headers["Libpod-Api-Version"]) == (
        200,
        [1, 2, 3],
        "4.3.1",
    )
    assert heard[0].startswith(
        b"GET /v5.8.0/libpod/containers/json?all=True&filters=%7B%22label%22%3A+%5B%22a%3Db+c%22%5D%7D HTTP"
    )


def test_a_name_of_any_letters_is_part_of_the_path(tmp_path: Path) -> None:
    with serving(tmp_path, WHOLE) as (client, heard):
        client.request("GET", "/images/localhost/größe x?:1/exists")
    assert heard[0].split()[1] == b"/v5.8.0/libpod/images/localhost/gr%C3%B6%C3%9Fe%20x%3F:1/exists"


def test_a_file_is_sent_from_where_it_was_read_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"read before, sent")
    with serving(tmp_path, WHOLE) as (client, heard), (tmp_path / "file").open("rb") as file:
        file.seek(13)
        client.request("POST", "/build", data=file)
    assert b"Content-Length: 4\r\n" in heard[0]


def test_a_refusal_is_an_answer_like_any_other(tmp_path: Path) -> None:
    with serving(tmp_path, REFUSED) as (client, _):
        answer = client.request("POST", "/build", stream=True)
    assert (answer.status_code, answer.text) == (500, '{"message": "no"}')


def test_a_stream_is_read_by_the_line(tmp_path: Path) -> None:
    chunks = b'6\r\n{"a":1\r\n9\r\n}\n{"b":2}\r\n0\r\n\r\n'
    with serving(tmp_path, CHUNKED + chunks) as (client, _):
        assert list(client.request("POST", "/build", stream=True).iter_lines()) == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", WHOLE[:-3], CHUNKED + b"5\r\n{"])
def test_half_an_answer_is_an_error_of_the_system(tmp_path: Path, answer: bytes) -> None:
    with serving(tmp_path, answer) as (client, _), pytest.raises(OSError, match=r".") as caught:
        client.request("GET", "/info")
    assert isinstance(caught.value, ConnectionError)


def test_a_stream_that_breaks_off_does_not_look_like_its_end(tmp_path: Path) -> None:
    with serving(tmp_path, CHUNKED + b'8\r\n{"a":1}\n\r\n') as (client, _):
        lines = client.request("POST", "/build", stream=True).iter_lines()
        assert next(lines) == b'{"a":1}'
        with pytest.raises(ConnectionError):
            list(lines)


def test_nobody_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Client(str(tmp_path / "none"), timeout=1).request("GET", "/info")
