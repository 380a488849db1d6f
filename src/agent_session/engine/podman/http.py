"""Podman's API over a Unix socket, with the standard library alone.

The bindings' client does the same, and importing it (requests, urllib3) costs 50 ms where this costs 10. Each
request has a connection of its own, so threads can share a client.
"""

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

VERSION = "5.8.0"
"""Of the API, as the bindings ask for it (podman-py 5.8.0): Podman 4 takes any that is younger than itself, 5
answers in its own words."""
BLOCK = 1 << 16
UNQUOTED = "/:@!$&'()*+,;=~"


class Answer:
    """One answer, with the names that the bindings' answers have."""

    def __init__(self, connection: http.client.HTTPConnection, *, stream: bool) -> None:
        self._response = connection.getresponse()  # which keeps the connection, and ends it
        self.status_code = self._response.status
        self.headers = self._response.headers
        self._content = b""
        if not stream or self.status_code >= 400:
            with self._response:
                self._content = self._response.read()

    @property
    def text(self) -> str:
        """The body, unless it is a stream."""
        return self._content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self._content)

    def iter_lines(self) -> Iterator[bytes]:
        """Yield a stream's lines as they come. Raises ConnectionError where it breaks off."""
        rest = b""
        with self._response:
            try:
                while block := self._response.read1(BLOCK):
                    *lines, rest = (rest + block).split(b"\n")
                    yield from lines
            except http.client.HTTPException as error:
                raise ConnectionError(f"it ended in the middle: {error!r}") from error
        yield rest


class Client:
    """A client for one socket. Every failure on the way is an OSError.

    A status of 400 and more is an answer like any other.
    """

    def __init__(self, path: str, *, timeout: float) -> None:
        self._path = path
        self._timeout = timeout

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> Answer:
        """Send a request; `data` is text, bytes or an open file. With `stream` the body is read by lines."""
        target = f"/v{VERSION}/libpod{quote(path, safe=UNQUOTED)}" + (
            f"?{urlencode(params)}" if params else ""
        )
        body = data.encode() if isinstance(data, str) else data
        length = {"Content-Length": str(_rest(body))} if hasattr(body, "fileno") else {}
        connection = _Connection(self._path, self._timeout)
        try:
            # Podman may refuse before all of it was sent: then the answer says why.
            with contextlib.suppress(BrokenPipeError):
                connection.request(method, target, body, {"Connection": "close", **length, **(headers or {})})
            return Answer(connection, stream=stream)
        except http.client.HTTPException as error:
            raise ConnectionError(f"it ended in the middle: {error!r}") from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, blocksize=BLOCK)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _rest(file: Any) -> int:
    return int(os.fstat(file.fileno()).st_size - file.tell())
