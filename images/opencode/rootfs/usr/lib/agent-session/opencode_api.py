"""All that is used of OpenCode's server, in one file (1.18.33). tests/e2e/test_opencode_state.py holds ENDPOINTS and EVENTS against its own GET /doc.

The session's state is told by this for as long as it lives, so it does without http.client, socket and json: 5 MB.
"""

import os
import time
from _json import make_scanner
from _socket import AF_INET, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, socket
from binascii import b2a_base64

from agent_state import dumps

PORT = 4096
PASSWORD = os.path.expanduser("~/.local/state/agent-session/server-password")
LARGEST = 64_000_000
"""Bytes of an answer: a conversation may hold several answers of 5 MB."""
ANSWER_SECONDS = 10
SILENCE_SECONDS = 25
"""Its event stream has a heartbeat every ten seconds."""

# name: (method, path, keys that are sent, keys that are read: of the answer, or of each of its items)
ENDPOINTS = {
    "health": ("GET", "/global/health", (), ("healthy",)),
    "events": ("GET", "/event", (), ()),
    "config": ("GET", "/config", (), ("model",)),
    "providers": ("GET", "/config/providers", (), ("providers", "default")),
    "sessions": ("GET", "/session", (), ("id", "directory", "parentID", "time", "agent", "model")),
    "create": ("POST", "/session", (), ("id",)),
    "status": ("GET", "/session/status", (), ()),
    "messages": ("GET", "/session/{sessionID}/message", (), ("info", "parts")),
    "message": ("GET", "/session/{sessionID}/message/{messageID}", (), ("info", "parts")),
    "prompt": ("POST", "/session/{sessionID}/prompt_async", ("parts", "agent", "model"), ()),
    "abort": ("POST", "/session/{sessionID}/abort", (), ()),
    "permissions": ("GET", "/permission", (), ("id", "sessionID", "permission", "patterns", "metadata")),
    "permit": ("POST", "/permission/{requestID}/reply", ("reply", "message"), ()),
    "questions": ("GET", "/question", (), ("id", "sessionID", "questions")),
    "reply": ("POST", "/question/{requestID}/reply", ("answers",), ()),
    "reject": ("POST", "/question/{requestID}/reject", (), ()),
    "authorize": (
        "POST",
        "/provider/{providerID}/oauth/authorize",
        ("method", "inputs"),
        ("url", "instructions"),
    ),
    "logged-in": ("POST", "/provider/{providerID}/oauth/callback", ("method",), ()),
    "log-in": ("PUT", "/auth/{providerID}", (), ()),
    "show": ("POST", "/tui/select-session", ("sessionID",), ()),
}
# type: keys of its properties
EVENTS = {
    "session.status": ("sessionID", "status"),
    "session.error": ("sessionID", "error"),
    "permission.asked": ("id", "sessionID", "permission", "patterns", "metadata"),
    "permission.replied": ("requestID",),
    "question.asked": ("id", "sessionID", "questions"),
    "question.replied": ("requestID",),
    "question.rejected": ("requestID",),
    "message.updated": ("sessionID", "info"),
    "message.part.updated": ("sessionID", "part"),
    "message.part.delta": ("messageID", "partID", "field", "delta"),
}
ABORTED = "MessageAbortedError"


class ServerError(Exception):
    """The server did not do as it should."""


class NotRunning(ServerError):
    """Nobody listens."""


class Reading:
    """What the scanner wants to know."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


_scan = make_scanner(Reading())


def loads(text):
    """A JSON value; ServerError for anything else."""
    try:
        return _scan(text, 0)[0]
    except (StopIteration, ValueError, RecursionError):
        raise ServerError("OpenCode's server sent something that is no JSON") from None


def call(name, *, seconds=ANSWER_SECONDS, body=None, query="", **ids):
    """Do one of ENDPOINTS in this directory; its JSON, or None where it answers nothing."""
    method, path, _, _ = ENDPOINTS[name]
    connection, end = _send(method, path.format(**ids), query, body, seconds)
    try:
        head, _, content = _receive_head(connection, end)
        status = int(head.split(" ", 2)[1])
        content = _receive_body(connection, head, content, end)
    except OSError as error:
        raise ServerError(_words(error, seconds)) from None
    except (ValueError, IndexError):
        raise ServerError("OpenCode's server sent something that is no HTTP") from None
    finally:
        connection.close()
    text = content.decode("utf-8", "replace")
    if status >= 400:
        raise ServerError(f"OpenCode's server answered {status} to {method} {path}: {text[:300]}")
    return loads(text) if text else None


def healthy(seconds=1):
    """Whether it answers. Each time on a connection of its own: the first request while it boots may never be answered."""
    try:
        return bool(call("health", seconds=seconds).get("healthy"))
    except (ServerError, AttributeError):
        return False


def conversation():
    """The conversation the terminal shows: of this directory's the last one that was changed, None where there is none.

    After a fresh start the older ones do not count.
    """
    here = os.getcwd()
    found = [
        session
        for session in call("sessions", query="&roots=true&limit=50")
        if not session.get("parentID")
        and session["directory"] == here
        and not session["time"].get("archived")
    ]
    found = [session for session in found if session["time"]["created"] >= fresh_since()]
    return max(found, key=lambda session: session["time"]["updated"], default=None)


def fresh_since():
    """When a conversation was last begun anew, in milliseconds; 0 if it goes on."""
    try:
        with open("/run/agent-session/conversation-since") as file:
            return int(file.read(30))
    except (OSError, ValueError):
        return 0


class Events:
    """The stream of what happens in this directory, from now on."""

    def __init__(self, types=tuple(EVENTS), *, longest=300_000, seconds=ANSWER_SECONDS):
        self.types = {f'"{type_}"'.encode() for type_ in types}
        self.longest = longest
        self.missed = False  # an event that was longer than that
        self.socket, end = _send("GET", ENDPOINTS["events"][1], "", None, seconds)
        try:
            head, _, rest = _receive_head(self.socket, end)
        except OSError as error:
            self.close()
            raise ServerError(_words(error, seconds)) from None
        if " 200 " not in head.split("\r\n")[0] + " " or "chunked" not in head.lower():
            self.close()
            raise ServerError(f"OpenCode's server does not stream its events: {head[:100]}")
        self.heard = time.monotonic()
        self.left = 0  # bytes of a chunk that are still to come
        self.raw = bytearray(rest)
        self.line = bytearray()
        self.skipping = False

    def close(self):
        """Listen no more."""
        self.socket.close()

    def read(self, seconds=0.0):
        """What has happened, as dicts of type and properties; [] if nothing does within so many seconds. ServerError at its end."""
        found = self._parsed()
        while not found:
            self.socket.settimeout(seconds)
            try:
                data = self.socket.recv(65536)
            except (BlockingIOError, TimeoutError):
                if time.monotonic() - self.heard > SILENCE_SECONDS:
                    raise ServerError(f"OpenCode's server has been silent for {SILENCE_SECONDS} s") from None
                return []
            except OSError as error:
                raise ServerError(f"OpenCode's server is gone: {error.strerror}") from None
            if not data:
                raise ServerError("OpenCode's server has ended")
            self.heard = time.monotonic()
            self.raw += data
            found = self._parsed()
        return found

    def _parsed(self):
        found = []
        while True:
            if self.left:
                piece = bytes(self.raw[: self.left])
                if not piece:
                    return found
                del self.raw[: self.left]
                self.left -= len(piece)
                found += self._lines(piece)
                continue
            size, line_end, rest = self.raw.partition(b"\r\n")
            if not line_end:
                return found
            self.raw = rest
            if size:  # not the end of the chunk before
                self.left = int(size, 16)
                if not self.left:
                    raise ServerError("OpenCode's server has ended")

    def _lines(self, content):
        *whole, rest = content.split(b"\n")
        for part in whole:
            line = bytes(self.line) + part
            self.line = bytearray()
            if self.skipping:
                self.skipping = False
            elif line.startswith(b"data:") and self._wanted(line):
                event = loads(line[5:].strip().decode("utf-8", "replace"))
                if isinstance(event.get("properties"), dict):
                    yield event
        if not self.skipping:
            self.line += rest
        if len(self.line) > self.longest:
            self.missed = self.missed or self._wanted(bytes(self.line[:200]))
            self.skipping = True
            self.line = bytearray()

    def _wanted(self, line):
        head = line[:120].partition(b'"type":')[2].lstrip()
        return not head or any(head.startswith(type_) for type_ in self.types)


def _send(method, path, query, body, seconds):
    """A connection with the request sent on it, and when it has to be answered."""
    end = time.monotonic() + seconds
    with open(PASSWORD, "rb") as file:
        login = b2a_base64(b"opencode:" + file.read(200).strip(), newline=False)
    content = b"" if body is None else dumps(body).encode()
    kind = b"" if body is None else b"content-type: application/json\r\n"
    where = "".join(chr(c) if chr(c) in SAFE else f"%{c:02X}" for c in os.fsencode(os.getcwd()))
    head = (
        f"{method} {path}?directory={where}{query} HTTP/1.1\r\nhost: 127.0.0.1:{PORT}\r\nconnection: close\r\n"
        f"content-length: {len(content)}\r\nauthorization: Basic {login.decode()}\r\n"
    )
    connection = socket(AF_INET, SOCK_STREAM)
    try:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        _limit(connection, end)
        connection.connect(("127.0.0.1", PORT))
        connection.sendall(head.encode() + kind + b"\r\n" + content)
    except ConnectionRefusedError:
        connection.close()
        raise NotRunning("OpenCode's server is not running") from None
    except OSError as error:
        connection.close()
        raise ServerError(_words(error, seconds)) from None
    return connection, end


SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/"


def _receive_head(connection, end):
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > 100_000:
            raise ValueError("no end of the head")
        data += _receive(connection, end)
    head, middle, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), middle, rest


def _receive_body(connection, head, data, end):
    fields = dict(line.lower().partition(":")[::2] for line in head.split("\r\n")[1:])
    if "chunked" in fields.get("transfer-encoding", ""):
        return _receive_chunks(connection, data, end)
    length = int(fields.get("content-length", "0"))
    if length > LARGEST:
        raise ServerError(f"OpenCode's server answers with {length} bytes")
    content = bytearray(data)
    while len(content) < length:
        content += _receive(connection, end)
    return bytes(content[:length])


def _receive_chunks(connection, data, end):
    content, raw = bytearray(), bytearray(data)
    while True:
        while b"\r\n" not in raw:
            raw += _receive(connection, end)
        size, _, raw = raw.partition(b"\r\n")
        left = int(size.partition(b";")[0], 16)
        if left == 0:
            return bytes(content)
        while len(raw) < left + 2:
            raw += _receive(connection, end)
        content += raw[:left]
        del raw[: left + 2]
        if len(content) > LARGEST:
            raise ServerError(f"OpenCode's server answers with more than {LARGEST} bytes")


def _receive(connection, end):
    _limit(connection, end)
    data = connection.recv(65_536)
    if not data:
        raise ServerError("OpenCode's server broke off its answer")
    return data


def _limit(connection, end):
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)


def _words(error, seconds):
    if isinstance(error, TimeoutError):
        return f"OpenCode's server does not answer (waited {seconds:.0f} s)"
    return f"OpenCode's server is gone: {error.strerror or error}"
