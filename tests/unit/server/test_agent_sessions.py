"""Conversations (/api/agent-sessions): the original's shapes, and a real session behind each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agent_session.sessions import find
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.unit.server.agent import IDLE, Agent, end, said, until

URL = "/api/agent-sessions"
NEW = {
    "session_id": "my-session-001",
    "session_name": "Project Planning Chat",
    "description": "AI assistant for project planning tasks",
    "agent_name": "Planning Assistant",
    "agent_instructions": "You are a helpful project planning assistant.",
    "is_active": True,
}
SESSION_KEYS = {
    "id", "session_id", "session_name", "description", "is_active", "user_id", "agent_name",
    "agent_instructions", "created_at", "updated_at",
}  # fmt: skip
MESSAGE_KEYS = {
    "id",
    "role",
    "content",
    "tool_call_id",
    "tool_name",
    "extra_data",
    "session_id",
    "created_at",
    "updated_at",
}


@pytest.fixture
def served(house: FakeEngine, home: Path, tmp_path: Path, database_url: str) -> Iterator[Served]:
    installation = Installation(environment={}, home=home)
    with serving(tmp_path / "state", house, installation, database_url=database_url) as served:
        yield served


def make(program: httpx2.Client, **more: Any) -> dict[str, Any]:
    made = program.post(URL, json=NEW | more)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_a_conversation_is_made_changed_and_removed(program: httpx2.Client) -> None:
    made = make(program)
    assert made.keys() == SESSION_KEYS
    assert made["created_at"].endswith("Z")
    url = f"{URL}/{made['id']}"
    assert program.get(url).json() == made
    changed = program.patch(url, json={"session_name": "Updated Session Name"})
    assert changed.status_code == 200
    assert changed.json()["session_name"] == "Updated Session Name"
    assert changed.json()["description"] == NEW["description"]
    assert program.put(f"{url}/deactivate").json()["is_active"] is False
    assert program.put(f"{url}/activate").json()["is_active"] is True
    twice = program.post(URL, json=NEW)
    assert (twice.status_code, twice.json()["status_code"]) == (409, 409)
    gone = program.delete(url)
    assert (gone.status_code, gone.content) == (204, b"")
    missing = program.get(url)
    assert (missing.status_code, missing.json()["detail"]) == (404, "No item found when one was expected")


def test_messages_are_made_changed_and_cleared(program: httpx2.Client) -> None:
    url = f"{URL}/{make(program)['id']}/messages"
    body = {"role": "user", "content": "Hello", "tool_call_id": None, "tool_name": None, "extra_data": None}
    made = program.post(url, json=body)
    assert (made.status_code, made.json().keys()) == (201, MESSAGE_KEYS)
    one = f"{url}/{made.json()['id']}"
    assert program.get(one).json() == made.json()
    change = {"content": "Updated message content", "extra_data": '{"edited": true}'}
    assert program.patch(one, json=change).json().items() >= change.items()
    assert program.delete(one).status_code == 204
    assert program.get(one).status_code == 404
    for role in ("user", "assistant", "system", "tool"):
        assert program.post(url, json={"role": role, "content": role}).status_code == 201
    listed = program.get(url).json()
    assert (listed["limit"], listed["offset"], listed["total"]) == (50, 0, 4)
    assert [message["role"] for message in listed["items"]] == ["user", "assistant", "system", "tool"]
    assert program.delete(url.replace("/messages", "/clear-messages")).json() == {"deleted_count": 4}
    assert program.get(url).json()["total"] == 0


def test_a_list_is_paged_ordered_and_searched(program: httpx2.Client) -> None:
    ids = [make(program, session_id=f"s{n}", session_name=f"Name 50%_{n}")["id"] for n in range(5)]

    def listed(**query: Any) -> list[int]:
        answer = program.get(URL, params=query)
        assert answer.status_code == 200, answer.text
        return [ids.index(item["id"]) for item in answer.json()["items"]]

    assert listed() == [4, 3, 2, 1, 0]
    assert listed(pageSize=2, currentPage=2) == [2, 1]
    assert listed(limit=2, offset=3) == [1, 0]
    assert listed(sortOrder="asc") == [0, 1, 2, 3, 4]
    assert listed(orderBy="session_id", sortOrder="asc") == [0, 1, 2, 3, 4]
    assert listed(searchString="50%_3") == [3]
    assert listed(searchString="NAME 50%_3", searchIgnoreCase=True) == [3]
    assert listed(searchString="50__3") == []
    assert listed(ids=[ids[1], ids[2]]) == [2, 1]
    assert listed(createdAfter="2020-01-01T00:00:00Z", createdBefore="2020-01-02T00:00:00") == []
    assert program.get(URL, params={"pageSize": 2}).json()["total"] == 5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {}),
        ("POST", "", {"session_id": ""}),
        ("POST", "", {"session_id": "x" * 256}),
        ("POST", "", {"session_id": "x", "description": "x" * 1001}),
        ("POST", "/conversation", {"messages": [], "surprise": 1}),
        ("POST", "/conversation", {"messages": [{"role": "king", "content": "x"}]}),
        ("GET", "?currentPage=0", None),
        ("GET", "?orderBy=password", None),
        ("GET", "?sortOrder=up", None),
    ],
)
def test_what_is_not_valid_is_a_problem(program: httpx2.Client, method: str, path: str, body: Any) -> None:
    refused = program.request(method, URL + path, json=body)
    assert refused.status_code == 400, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == 400
    assert refused.json()["title"]


def test_nobody_reaches_anothers_conversation(served: Served, program: httpx2.Client) -> None:
    made = make(program)
    message = program.post(f"{URL}/{made['id']}/messages", json={"role": "user", "content": "x"}).json()
    with served.client(served.token(login="mallory")) as other:
        assert other.get(URL).json()["total"] == 0
        for method, path in (
            ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("PUT", "/activate"), ("PUT", "/deactivate"),
            ("GET", "/messages"), ("DELETE", "/clear-messages"), ("GET", f"/messages/{message['id']}"),
            ("PATCH", f"/messages/{message['id']}"), ("DELETE", f"/messages/{message['id']}"),
        ):  # fmt: skip
            body: dict[str, str] | None = {} if method == "PATCH" else None
            assert other.request(method, f"{URL}/{made['id']}{path}", json=body).status_code == 404, path
        assert make(other)["id"] != made["id"]  # a session_id is unique for each user
    refused = httpx2.get(f"{served.url}{URL}", trust_env=False)
    assert (refused.status_code, refused.json()["title"]) == (401, "Unauthorized")
    assert program.get(f"{URL}/not-a-uuid").status_code == 404


def test_a_conversation_is_held_with_a_real_session(
    served: Served, agent: Agent, program: httpx2.Client
) -> None:
    request = {k: NEW[k] for k in ("session_id", "session_name", "agent_name", "agent_instructions")}
    messages = [{"role": "user", "content": "old"}, {"role": "user", "content": "I need help"}]
    answer = program.post(f"{URL}/conversation", json=request | {"messages": messages})
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert found.keys() == {"session_id", "session_uuid", "response", "messages_count", "session_active"}
    assert (found["response"], found["messages_count"]) == ("You said I need help", 2)
    assert agent.prompts == ["I need help"]
    (session,) = find.list_sessions(served.engine)
    assert session.title == "Project Planning Chat"
    assert session.instructions == NEW["agent_instructions"]
    again = program.post(f"{URL}/conversation", json={"session_id": NEW["session_id"], "messages": []})
    assert (again.json()["response"], again.json()["messages_count"]) == ("You said Hello", 4)
    assert len(find.list_sessions(served.engine)) == 1
    assert [one["id"] for one in program.get("/api/sessions").json()] == [session.name]
    program.put(f"{URL}/{found['session_uuid']}/deactivate")
    refused = program.post(f"{URL}/conversation", json=request | {"messages": messages})
    assert (refused.status_code, refused.json()["status"]) == (409, 409)
    assert program.delete(f"{URL}/{found['session_uuid']}").status_code == 204
    assert find.list_sessions(served.engine) == []


def test_an_agents_failure_is_told_and_nothing_is_recorded(agent: Agent, program: httpx2.Client) -> None:
    failed = IDLE | {"value": "failed", "reason": "no more credit"}
    agent.turn = lambda _text: said({"type": "turn", "turn": "1"}, end("", state=failed))
    messages = [{"role": "user", "content": "hi"}]
    refused = program.post(f"{URL}/conversation", json={"session_id": "x", "messages": messages})
    assert refused.status_code == 502
    assert "no more credit" in refused.json()["detail"]
    (made,) = program.get(URL).json()["items"]
    assert program.get(f"{URL}/{made['id']}/messages").json()["total"] == 0


def test_the_python_example_of_the_requirements_runs(program: httpx2.Client) -> None:
    session_data = {
        "session_id": "example-session",
        "session_name": "Example Chat",
        "agent_name": "Helper Bot",
    }
    session = program.post(URL, json=session_data).json()
    conversation_data = {"messages": [{"role": "user", "content": "Hello!"}], "session_id": "example-session"}
    result = program.post(f"{URL}/conversation", json=conversation_data).json()
    assert result["response"] == "You said Hello!"
    assert result["session_uuid"] == session["id"]


def test_without_a_session_id_one_is_made_up(program: httpx2.Client) -> None:
    answer = program.post(f"{URL}/conversation", json={"messages": [{"role": "user", "content": "x"}]})
    assert answer.json()["session_id"].startswith("session_local_2")
    until(lambda: program.get(URL).json()["total"] == 1)
