"""Sessions over HTTP, on an engine in memory whose agent says what a test scripts."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agent_session.server.agents import NO_AGENT
from agent_session.sessions import find
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.unit import state_file
from tests.unit.server.agent import IDLE, QUESTION, Agent, end, said, until


def in_state(served: Served, name: str, value: str, **more: Any) -> None:
    """Have a session's agent be in a state."""
    session = find.get(served.engine, name)
    state_file.write(served.engine, session, state_file.line(value, **more))


def make(program: httpx2.Client, title: str = "Fix login", **more: Any) -> dict[str, Any]:
    made = program.post("/api/sessions", json={"title": title, **more})
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


def test_a_session_is_made_listed_stopped_started_and_removed(served: Served, program: httpx2.Client) -> None:
    made = make(program)
    name = made["id"]
    assert name.startswith("fix-login-")
    assert made["title"] == "Fix login"
    assert made["agent"] == "opencode"
    (listed,) = program.get("/api/sessions").json()
    assert {"id", "title", "created_at"} <= listed.keys()
    assert find.get(served.engine, name).title == "Fix login"
    assert program.post(f"/api/sessions/{name}/stop").json()["status"] == "stopped"
    assert program.post(f"/api/sessions/{name}/start").json()["status"] == "running"
    assert program.get(f"/api/sessions/{name}").json()["title"] == "Fix login"
    gone = program.delete(f"/api/sessions/{name}")
    assert gone.json() == {"message": "Session deleted successfully"}
    assert program.get(f"/api/sessions/{name}").json()["detail"] == "Session not found"
    assert served.engine.containers("") == []
    assert served.engine.volumes("") == {}


def test_a_body_is_not_needed(program: httpx2.Client) -> None:
    made = program.post("/api/sessions")
    assert made.json()["id"].startswith("session-")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "../x"}, 400, "bad-name"),
        ({"name": "a b"}, 400, "bad-name"),
        ({"agent": "nobody"}, 404, "agent-not-found"),
        ({"projects": ["~/not-there"], "mount": True}, 400, "project-refused"),
        ({"title": "x" * 201}, 422, None),
        ({"projects": "text"}, 422, None),
        ([], 422, None),
    ],
)
def test_what_cannot_be_made_leaves_nothing(
    served: Served, program: httpx2.Client, body: Any, status: int, code: str | None
) -> None:
    refused = program.post("/api/sessions", json=body)
    assert refused.status_code == status, refused.text
    assert refused.json().get("code") == code
    assert served.engine.containers("") == []


def test_a_name_is_taken_once(program: httpx2.Client) -> None:
    make(program, name="web")
    assert program.post("/api/sessions", json={"name": "web"}).status_code == 409


def test_twenty_clients_at_once_lose_and_double_nothing(served: Served, program: httpx2.Client) -> None:
    with ThreadPoolExecutor(20) as many:
        made = list(many.map(lambda number: make(program, f"Number {number}")["id"], range(40)))
    assert len(set(made)) == 40
    assert {one["id"] for one in program.get("/api/sessions").json()} == set(made)
    assert len(served.engine.containers("")) == 40


def test_a_request_with_a_key_makes_one_session(served: Served, program: httpx2.Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = program.post("/api/sessions", json={"title": "A"}, headers=headers)
    again = program.post("/api/sessions", json={"title": "A"}, headers=headers)
    assert first.json() == again.json()
    assert len(served.engine.containers("")) == 1
    other = program.post("/api/sessions", json={"title": "B"}, headers=headers)
    assert other.status_code == 400


def test_without_an_agent_nothing_is_made(served: Served, program: httpx2.Client) -> None:
    for image in served.engine.images.references():
        served.engine.images.remove(image)
    refused = program.post("/api/sessions")
    assert refused.status_code == 400
    assert refused.json()["detail"] == NO_AGENT
    assert served.engine.containers("") == []


def test_a_prompt_gets_its_answer(served: Served, agent: Agent, program: httpx2.Client) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    answer = program.post(f"/api/sessions/{name}/chat", json={"prompt": "hello"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == "You said hello"
    assert answer.json()["session_id"] == name
    body = {"model": {"providerID": "a", "modelID": "b"}, "agent": "build"}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    answer = program.post(f"/api/sessions/{name}/chat", json=body | {"parts": parts})
    assert answer.json()["content"] == "You said one\ntwo"
    other = body | {"model": {"providerID": "a", "modelID": "c"}, "prompt": "x"}
    assert program.post(f"/api/sessions/{name}/chat", json=other).status_code == 400
    assert agent.prompts == ["hello", "one\ntwo"]


def test_a_prompt_is_streamed_as_the_original_page_reads_it(served: Served, program: httpx2.Client) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    answer = program.post(f"/api/sessions/{name}/chat/stream", json={"prompt": "hello"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    data = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    assert json.loads(data[0]) == {"content": "You said hello"}
    assert data[-1] == "[DONE]"


def test_an_answer_that_comes_in_one_piece_is_streamed_too(
    served: Served, agent: Agent, program: httpx2.Client
) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    agent.turn = lambda _text: said({"type": "turn", "turn": "1"}, end("all at once"))
    answer = program.post(f"/api/sessions/{name}/chat/stream", json={"prompt": "hello"})
    data = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    assert [json.loads(data[0]), data[1]] == [{"content": "all at once"}, "[DONE]"]


def test_a_prompt_right_after_a_turn_is_not_refused(
    served: Served, agent: Agent, program: httpx2.Client
) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    agent.go_on.clear()
    with ThreadPoolExecutor(2) as beside:
        first = beside.submit(program.post, f"/api/sessions/{name}/chat", json={"prompt": "first"})
        until(lambda: agent.prompts == ["first"])
        in_state(
            served, name, "idle"
        )  # the agent's own word: the turn is over, and only its end is not told yet
        second = beside.submit(program.post, f"/api/sessions/{name}/chat", json={"prompt": "second"})
        agent.go_on.set()
        assert [one.result().status_code for one in (first, second)] == [200, 200]


def test_a_prompt_starts_a_stopped_session(agent: Agent, program: httpx2.Client) -> None:
    name = make(program)["id"]
    program.post(f"/api/sessions/{name}/stop")
    answer = program.post(f"/api/sessions/{name}/chat", json={"prompt": "hello"})
    assert answer.json()["content"] == "You said hello"
    assert agent.prompts == ["hello"]
    assert program.get(f"/api/sessions/{name}").json()["status"] == "running"


@pytest.mark.parametrize("body", [{}, {"prompt": " "}, {"parts": []}, {"parts": [{"type": "file"}]}])
def test_nothing_is_no_prompt(agent: Agent, program: httpx2.Client, body: Any) -> None:
    name = make(program)["id"]
    refused = program.post(f"/api/sessions/{name}/chat", json=body)
    assert (refused.status_code, refused.json()["detail"]) == (400, "No prompt provided")
    assert agent.prompts == []


def test_a_busy_agent_refuses_or_lines_up(served: Served, agent: Agent, program: httpx2.Client) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    url = f"/api/sessions/{name}"
    agent.go_on.clear()
    with ThreadPoolExecutor(1) as beside:
        first = beside.submit(program.post, f"{url}/chat", json={"prompt": "first"})
        until(lambda: agent.prompts == ["first"])
        refused = program.post(f"{url}/chat", json={"prompt": "second"})
        assert (refused.status_code, refused.json()["code"]) == (409, "agent-refused")
        lined = [
            program.post(f"{url}/chat", json={"prompt": text, "when_busy": "queue"})
            for text in ("second", "third", "fourth")
        ]
        assert [one.status_code for one in lined] == [202, 202, 202]
        assert [one["text"] for one in program.get(f"{url}/queue").json()] == ["second", "third", "fourth"]
        assert program.delete(f"{url}/queue/{lined[1].json()['id']}").status_code == 200
        assert program.delete(f"{url}/queue/{lined[1].json()['id']}").status_code == 404
        agent.go_on.set()
        assert first.result().json()["content"] == "You said first"
    until(lambda: agent.prompts == ["first", "second", "fourth"])
    until(lambda: program.get(f"{url}/queue").json() == [])


def test_prompts_in_line_outlive_the_server(
    house: FakeEngine, home: Path, tmp_path: Path, agent: Agent
) -> None:
    installation = Installation(environment={}, home=home)
    with serving(tmp_path / "state", house, installation) as served, served.client(served.token()) as program:
        name = make(program)["id"]
        in_state(served, name, "working")
        body = {"prompt": "later", "when_busy": "queue"}
        assert program.post(f"/api/sessions/{name}/chat", json=body).status_code == 202
    assert agent.prompts == []
    with serving(tmp_path / "state", house, installation) as served, served.client(served.token()) as program:
        assert [one["text"] for one in program.get(f"/api/sessions/{name}/queue").json()] == ["later"]
        in_state(served, name, "idle")
        until(lambda: agent.prompts == ["later"])


def test_a_question_is_told_and_answered(served: Served, agent: Agent, program: httpx2.Client) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    waiting = IDLE | {"value": "waiting", "question": QUESTION}
    agent.turn = lambda _text: said(
        {"type": "turn", "turn": "1"}, {"type": "waiting", "question": QUESTION}, end("", state=waiting)
    )
    refused = program.post(f"/api/sessions/{name}/chat", json={"prompt": "make it"})
    assert refused.status_code == 409
    assert (refused.json()["code"], "Bash: make" in refused.json()["detail"]) == ("needs-answer", True)
    in_state(served, name, "waiting", question=QUESTION)
    (listed,) = program.get("/api/sessions").json()
    assert listed["state"]["question"]["choices"] == ["once", "always", "reject"]
    refused = program.post(f"/api/sessions/{name}/chat", json={"prompt": "more", "when_busy": "queue"})
    assert refused.json()["code"] == "needs-answer"
    assert program.post(f"/api/sessions/{name}/answer", json={"answer": "perhaps"}).status_code == 400
    answered = program.post(f"/api/sessions/{name}/answer", json={"answer": "yes"})
    assert answered.json() == {"message": "approved once: Bash: make"}
    assert agent.others == [["answer", "--question", "q1", "once"]]


def test_what_the_agent_says_of_a_failure_is_a_502(
    served: Served, agent: Agent, program: httpx2.Client
) -> None:
    name = make(program)["id"]
    in_state(served, name, "idle")
    failed = IDLE | {"value": "failed", "reason": "no more credit"}
    agent.turn = lambda _text: said({"type": "turn", "turn": "1"}, end("", state=failed))
    refused = program.post(f"/api/sessions/{name}/chat", json={"prompt": "hello"})
    assert (refused.status_code, "no more credit" in refused.json()["detail"]) == (502, True)
    agent.turn = lambda _text: said({"error": {"kind": "server", "message": "it is down"}}, code=1)
    streamed = program.post(f"/api/sessions/{name}/chat/stream", json={"prompt": "hello"})
    assert "event: error" in streamed.text
    assert "it is down" in streamed.text


def test_messages_models_and_abort_are_the_agents_own(agent: Agent, program: httpx2.Client) -> None:
    name = make(program)["id"]
    first, second = program.get(f"/api/sessions/{name}/messages").json()
    assert first["info"]["sessionID"] == name
    assert first["info"]["time"]["created"] == 1795248000000
    assert (first["info"]["role"], first["parts"]) == ("user", [{"type": "text", "text": "hi"}])
    assert second["info"]["role"] == "assistant"
    assert program.get(f"/api/sessions/{name}/messages").json()[0] == first
    assert program.get(f"/api/sessions/{name}/models").json()[0]["current"]
    assert program.post(f"/api/sessions/{name}/abort").status_code == 200
    assert agent.others == [["abort", ""]]
    program.post(f"/api/sessions/{name}/stop")
    refused = program.get(f"/api/sessions/{name}/messages")
    assert (refused.status_code, refused.json()["code"]) == (409, "session-stopped")


def test_files_are_listed_read_and_written(program: httpx2.Client, tmp_path: Path) -> None:
    url = f"/api/sessions/{make(program)['id']}/files"
    (tmp_path / "in").mkdir()
    place = {"path": str(tmp_path / "in" / "größe.bin")}
    content = bytes(range(256))
    assert program.put(f"{url}/content", params=place, content=content).status_code == 200
    (tmp_path / "in" / "link").symlink_to("/nowhere")
    listed = program.get(url, params={"path": str(tmp_path / "in")}).json()
    assert [(one["name"], one["kind"]) for one in listed] == [("größe.bin", "file"), ("link", "link")]
    answer = program.get(f"{url}/content", params=place)
    assert answer.content == content
    assert answer.headers["content-disposition"] == "attachment"
    assert [file.name for file in (tmp_path / "in").iterdir() if "agent-session" in file.name] == []
    for verb, path, status in (
        (program.get, "/content", 404), (program.get, "", 404), (program.put, "/content", 404),
    ):  # fmt: skip
        assert verb(url + path, params={"path": str(tmp_path / "no" / "where")}).status_code == status
    assert program.get(f"{url}/content", params={"path": str(tmp_path)}).status_code == 409
    assert program.get(url, params={"path": "\0"}).status_code == 400
    large = program.put(f"{url}/content", params=place, content=b"x" * 10_000_001)
    assert (large.status_code, (tmp_path / "in" / "größe.bin").read_bytes()) == (400, content)


def test_models_are_told_as_the_original_page_reads_them(program: httpx2.Client) -> None:
    assert program.get("/api/models").json() == {"providers": [], "default": {}}
    make(program)
    found = program.get("/api/models").json()
    assert found["providers"] == [{"id": "a", "name": "a", "models": [{"id": "b", "name": "B"}]}]
    assert found["default"] == {"a": "b"}


def test_a_session_without_clones_has_no_difference(program: httpx2.Client) -> None:
    assert program.get(f"/api/sessions/{make(program)['id']}/diff").json() == []


def read_events(
    answer: httpx2.Response, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The events of a stream, until there are enough."""
    found: list[dict[str, Any]] = []
    event: dict[str, Any] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name in {"id", "event"}:
            event[name] = value
        elif name == "data":
            found.append(event | {"data": json.loads(value)})
            event = {}
            if enough(found):
                break
    return found


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_events_are_numbered_and_replayed(served: Served, program: httpx2.Client) -> None:
    with program.stream("GET", "/api/events") as stream:
        name = make(program)["id"]
        in_state(served, name, "idle")
        program.post(f"/api/sessions/{name}/chat", json={"prompt": "hello"})
        events = read_events(stream, lambda found: found[-1]["event"] == "end")
    assert kinds(events)[0] == "snapshot"
    assert [kind for kind in kinds(events) if kind in {"turn", "text", "end"}] == ["turn", "text", "end"]
    middle = next(event["id"] for event in events if event["event"] == "turn")
    with program.stream("GET", "/api/events", headers={"Last-Event-ID": middle}) as stream:
        again = read_events(stream, lambda found: found[-1]["event"] == "end")
    assert again == events[[event.get("id") for event in events].index(middle) + 1 :]
    for id in ("00000000-1", "nonsense", f"{middle[:8]}-99999"):
        with program.stream("GET", "/api/events", headers={"Last-Event-ID": id}) as stream:
            (first,) = read_events(stream, lambda _found: True)
        assert first["event"] == "snapshot"


def test_a_late_client_is_shown_pending_questions(served: Served, program: httpx2.Client) -> None:
    name = make(program)["id"]
    in_state(served, name, "waiting", question=QUESTION)

    def asked() -> bool:
        with program.stream("GET", "/api/events") as stream:
            (first,) = read_events(stream, lambda _found: True)
        return bool([one for one in first["data"]["sessions"] if one["state"].get("question")])

    until(asked)


def test_streams_end_with_a_reason_when_the_server_ends(
    house: FakeEngine, home: Path, tmp_path: Path
) -> None:
    installation = Installation(environment={}, home=home)
    ended: list[str] = []

    def listen(url: str, token: str, connected: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with (
            httpx2.Client(trust_env=False, timeout=20) as client,
            client.stream("GET", f"{url}/api/events", headers=headers) as stream,
        ):
            connected.set()
            events = read_events(stream, lambda found: found[-1]["event"] == "end")
        ended.append(events[-1]["data"]["reason"])

    with serving(tmp_path / "state", house, installation) as served:
        connected = threading.Event()
        thread = threading.Thread(target=listen, args=(served.url, served.token(), connected))
        thread.start()
        assert connected.wait(20)
        begun = time.monotonic()
    thread.join(20)
    assert time.monotonic() - begun < 5
    assert ended == ["the server is ending"]


def test_the_sessions_of_others_are_not_there(served: Served, program: httpx2.Client) -> None:
    name = make(program)["id"]
    with served.client(served.token(login="mallory")) as other:
        other.post("/api/agents", json={"name": "hers", "kind": "opencode"})
        mine = make(other, "Mine")["id"]
        assert [one["id"] for one in other.get("/api/sessions").json()] == [mine]
        for method, path in (
            ("GET", ""), ("DELETE", ""), ("POST", "/stop"), ("POST", "/start"), ("GET", "/messages"),
            ("GET", "/screen"), ("GET", "/queue"), ("POST", "/abort"), ("GET", "/models"),
        ):  # fmt: skip
            assert other.request(method, f"/api/sessions/{name}{path}").status_code == 404, path
        assert other.post(f"/api/sessions/{name}/chat", json={"prompt": "x"}).status_code == 404
        with other.stream("GET", "/api/events") as stream:
            (first,) = read_events(stream, lambda _found: True)
        assert [one["id"] for one in first["data"]["sessions"]] == [mine]
        assert other.post("/api/sessions", json={"name": name}).status_code == 409
    with served.client(served.token(only="elsewhere")) as narrow:
        assert narrow.get("/api/sessions").json() == []
        assert narrow.get(f"/api/sessions/{name}").status_code == 404
    assert [one["id"] for one in program.get("/api/sessions").json()] == [name]
