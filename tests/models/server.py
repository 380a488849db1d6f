"""A scripted model server: Anthropic Messages (also as Bedrock and Vertex offer them) and OpenAI chat
completions.

One file, standard library only, so that it can be piped into a container: `python3 server.py PORT`.
What it answers is data, replaced by `PUT /script`; what it was asked is told by `GET /requests`.
A script is a list of replies, each an object:

    {"text": "..."}                          an answer                {"big":
5000000}       that many characters
    {"tool": "Write", "input": {...}}        a tool call, after "text" if there is one
    {"tool": ..., "also": [{"tool": ..., "input":
...}]}    more of them in the same answer, where it is streamed
    {"status": 529, "message": "..."}        an error                 {"garbage":
true}      bytes that are no answer
    {"hang": 60}                             nothing, for so many seconds
    and with any of them: "delay": seconds before it, "pause": seconds in the middle of a streamed text

Replies are used up in order, by requests that offer tools:
what agents ask beside the conversation (a title, a quota) gets a short answer of its own.
A reply with "when" answers every request whose last words hold that text, and comes before those in order.
When nothing is left, the answer is "echo: " and the user's words.
"""

import base64
import json
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "input_tokens": 12,
    "output_tokens": 7,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}
PIECES = 4


class Server(ThreadingHTTPServer):
    """What was scripted, and what was asked; on loopback only."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def reply_to(self, body: dict[str, Any]) -> dict[str, Any]:
        """The reply of the script to a request."""
        words = last_words(body)
        with self.lock:
            for reply in self.script:
                if "when" in reply and reply["when"] in words:
                    return reply
            if not body.get("tools"):
                return {"text": "A title"}
            for reply in self.script:
                if "when" not in reply:
                    self.script.remove(reply)
                    return reply
        return {"text": f"echo: {words[-2000:]}"}


def last_words(body: dict[str, Any]) -> str:
    """What was said since the model spoke last: the user's words and tools' results,
    without what agents add to them.
    """
    said: list[str] = []
    for message in body.get("messages") or []:
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        texts = [part.get("text") or json.dumps(part.get("content", "")) for part in parts]
        if message.get("role") == "assistant":
            said.clear()
        elif message.get("role") != "system":
            said += [text for text in texts if not text.startswith("<system-reminder>")]
    return "\n".join(said)


class Handler(BaseHTTPRequestHandler):
    """One request, in whichever of the dialects its path belongs to."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        if self.path == "/requests":
            return self.send(200, self.server.requests)
        self.record(None)
        return self.send(200, {"data": [], "has_more": False})

    def do_HEAD(self) -> None:
        self.send(200, {})

    def do_PUT(self) -> None:
        self.server.script = json.loads(self.read())
        self.server.requests = []
        self.send(200, {})

    def do_POST(self) -> None:
        content = self.read()
        try:
            body = json.loads(content or b"{}")
        except ValueError:
            body = {"unreadable": content.decode("utf-8", "replace")}
        self.record(body)
        path = self.path.partition("?")[0]
        if path.endswith(("/count_tokens", "/count-tokens:rawPredict")):
            self.send(200, {"input_tokens": 12})
        elif path.endswith("/messages"):
            self.answer(body, messages_events, streamed=bool(body.get("stream")), as_lines=sse_named)
        elif path.endswith((":streamRawPredict", ":rawPredict")):
            self.answer(body, messages_events, streamed=":stream" in path, as_lines=sse_named)
        elif path.endswith(("/invoke-with-response-stream", "/invoke")):
            self.answer(body, messages_events, streamed="stream" in path, as_lines=aws_event)
        elif path.endswith("/chat/completions"):
            self.answer(body, chat_events, streamed=bool(body.get("stream")), as_lines=sse)
        else:
            self.send(404, {"type": "error", "error": {"type": "not_found_error", "message": path}})

    def answer(self, body: dict[str, Any], events: Any, *, streamed: bool, as_lines: Any) -> None:
        reply = self.server.reply_to(body)
        time.sleep(reply.get("delay", 0))
        if "hang" in reply:
            time.sleep(reply["hang"])
            self.close_connection = True
        elif "status" in reply:
            kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(reply["status"], "api_error")
            words = reply.get("message", "scripted error")
            self.send(
                reply["status"],
                {"type": "error", "error": {"type": kind, "message": words}},
                **{"x-should-retry": "false"},
            )
        elif "garbage" in reply:
            self.send_bytes(
                200,
                b"\x00\xff<html>this is no answer",
                "text/event-stream" if streamed else "application/json",
            )
        elif streamed:
            self.stream(events(body, reply), as_lines, pause=reply.get("pause", 0))
        else:
            self.send(200, whole(body, reply, chat=events is chat_events))

    def stream(self, events: Iterator[dict[str, Any]], as_lines: Any, *, pause: float) -> None:
        self.send_response(200)
        self.send_header(
            "content-type",
            "application/vnd.amazon.eventstream" if as_lines is aws_event else "text/event-stream",
        )
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for event in events:
                piece = as_lines(event)
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()
                if pause and "delta" in json.dumps(event):
                    time.sleep(pause)
            if as_lines is sse:
                self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def record(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.requests.append(
                {"method": self.command, "path": self.path, "headers": headers, "body": body}
            )

    def send(self, status: int, content: Any, **headers: str) -> None:
        self.send_bytes(status, json.dumps(content).encode(), "application/json", **headers)

    def send_bytes(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Not on stderr: requests are recorded."""


def text_of(reply: dict[str, Any]) -> str:
    """The words of a reply."""
    return "x" * reply["big"] if "big" in reply else str(reply.get("text", ""))


def pieces(text: str) -> list[str]:
    """A text in the few pieces in which it is streamed."""
    size = max(1, -(-len(text) // PIECES))
    return [text[i : i + size] for i in range(0, len(text), size)]


def calls_of(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of a reply."""
    return [reply, *reply.get("also", [])] if reply.get("tool") else []


def call_id(body: dict[str, Any]) -> str:
    """Another one for each turn of a conversation."""
    return f"call_{len(body.get('messages', []))}_{time.monotonic_ns()}"


def whole(body: dict[str, Any], reply: dict[str, Any], *, chat: bool) -> dict[str, Any]:
    """An answer in one piece."""
    tool, text = reply.get("tool"), text_of(reply)
    if chat:
        call = {
            "id": call_id(body),
            "type": "function",
            "function": {"name": tool, "arguments": json.dumps(reply.get("input", {}))},
        }
        message = {"role": "assistant", "content": text, **({"tool_calls": [call]} if tool else {})}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}
        usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
        return {
            "id": "chat_1",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model", "m"),
            "choices": [choice],
            "usage": usage,
        }
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    content += (
        [{"type": "tool_use", "id": call_id(body), "name": tool, "input": reply.get("input", {})}]
        if tool
        else []
    )
    return head(body) | {
        "content": content,
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def head(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{time.monotonic_ns()}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "claude-scripted"),
    }


def messages_events(body: dict[str, Any], reply: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A streamed answer of the Messages API."""
    yield {
        "type": "message_start",
        "message": head(body) | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE},
    }
    tool, text, index = reply.get("tool"), text_of(reply), 0
    if text:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for piece in pieces(text):
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        yield {"type": "content_block_stop", "index": 0}
        index = 1
    for at, call in enumerate(calls_of(reply), index):
        block = {"type": "tool_use", "id": call_id(body), "name": call["tool"], "input": {}}
        yield {"type": "content_block_start", "index": at, "content_block": block}
        for piece in pieces(json.dumps(call.get("input", {}))):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    stop = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 7}}
    yield {"type": "message_stop"}


def chat_events(body: dict[str, Any], reply: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A streamed answer of the chat completions API."""
    common = {
        "id": "chat_1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body.get("model", "m"),
    }

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return common | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    tool = reply.get("tool")
    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(text_of(reply)):
        yield chunk({"content": piece})
    for at, one in enumerate(calls_of(reply)):
        function = {"name": one["tool"], "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": at, "id": call_id(body), "type": "function", "function": function}]}
        )
        for piece in pieces(json.dumps(one.get("input", {}))):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if tool else "stop")
    yield common | {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}}


def sse(event: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def sse_named(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + sse(event)


def aws_event(event: dict[str, Any]) -> bytes:
    """One message of Amazon's binary event stream (application/vnd.amazon.eventstream)."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in (
            (":event-type", "chunk"),
            (":content-type", "application/json"),
            (":message-type", "event"),
        )
    )
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


if __name__ == "__main__":
    Server(int(sys.argv[1])).serve_forever()
