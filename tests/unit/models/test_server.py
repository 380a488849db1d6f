"""The scripted model server speaks each dialect, does what its script says, and records what it was asked."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.models.server import Server, aws_event

TOOL = {"text": "I write.", "tool": "Write", "input": {"path": "/a b", "content": "é\n"}}
ASKED = {"tools": [{"name": "Write"}], "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def post(server: Server, path: str, body: Any, method: str = "POST") -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.server_port}{path}", json.dumps(body).encode(), method=method
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def test_a_streamed_message_carries_text_and_a_tool_call(server: Server) -> None:
    post(server, "/script", [TOOL], "PUT")
    told = events(post(server, "/v1/messages?beta=true", ASKED | {"stream": True}))
    deltas = [event["delta"] for event in told if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "I write."
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == TOOL["input"]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_streamed_chat_completion_carries_text_and_a_tool_call(server: Server) -> None:
    post(server, "/script", [TOOL], "PUT")
    told = [
        event["choices"][0]
        for event in events(post(server, "/v1/chat/completions", ASKED | {"stream": True}))
        if event["choices"]
    ]
    assert "".join(choice["delta"].get("content") or "" for choice in told) == "I write."
    calls = [call["function"] for choice in told for call in choice["delta"].get("tool_calls", [])]
    assert json.loads("".join(call["arguments"] for call in calls)) == TOOL["input"]
    assert told[-1]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("path", ["/v1/messages", "/projects/p/models/m:rawPredict", "/model/m/invoke"])
def test_an_answer_comes_whole_where_no_stream_is_asked_for(server: Server, path: str) -> None:
    post(server, "/script", [{"text": "whole"}], "PUT")
    assert json.loads(post(server, path, ASKED))["content"] == [{"type": "text", "text": "whole"}]


def test_a_reply_goes_to_what_offers_tools_and_to_what_it_waits_for(server: Server) -> None:
    post(server, "/script", [{"text": "first"}, {"when": "special", "text": "matched"}], "PUT")
    assert "A title" in post(server, "/v1/messages", ASKED | {"tools": []})
    special = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a special one"}]}]}
    assert "matched" in post(server, "/v1/messages", ASKED | special)
    assert "first" in post(server, "/v1/messages", ASKED)
    assert "echo: hello" in post(server, "/v1/messages", ASKED)


def test_errors_garbage_and_big_answers(server: Server) -> None:
    post(
        server, "/script", [{"status": 529, "message": "busy"}, {"garbage": True}, {"big": 1_000_000}], "PUT"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, "/v1/messages", ASKED)
    with caught.value as answer:
        assert answer.code == 529
        assert json.loads(answer.read())["error"] == {"type": "overloaded_error", "message": "busy"}
    assert "this is no answer" in post(server, "/v1/messages", ASKED)
    assert len(post(server, "/v1/messages", ASKED | {"stream": True})) > 1_000_000


def test_what_was_asked_is_recorded_until_the_next_script(server: Server) -> None:
    post(server, "/v1/messages/count_tokens", ASKED)
    (recorded,) = server.requests
    assert (recorded["path"], recorded["body"]) == ("/v1/messages/count_tokens", ASKED)
    post(server, "/script", [], "PUT")
    assert server.requests == []


def test_amazons_event_stream_is_framed_as_documented() -> None:
    message = aws_event({"type": "message_stop"})
    assert int.from_bytes(message[:4], "big") == len(message)
    assert b":event-type\x07\x00\x05chunk" in message
