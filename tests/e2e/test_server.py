"""The server with the real OpenCode in real Podman:
made over HTTP, talked to there and in the terminal, and gone again.
"""

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.account import Account
from tests.models.model import Model
from tests.opencode import PROVIDER, READY, log_in
from tests.storage import LAUNCHER, Storage
from tests.waiting import COMMAND_SECONDS, until

pytestmark = [pytest.mark.e2e]
SCOPES = ("sessions:read", "sessions:write", "sessions:delete", "metrics")


@pytest.fixture(scope="module")
def account(storage: Storage, opencode: str) -> Iterator[Account]:  # noqa: ARG001
    account = Account(storage.path, storage.driver)
    try:
        two = PROVIDER | {"models": {"m": {"name": "Model One"}, "other": {"name": "Model Two"}}}
        log_in(account, provider={"scripted": two})
        yield account
    finally:
        account.close()


@contextlib.contextmanager
def server(account: Account) -> Iterator[tuple[httpx2.Client, "subprocess.Popen[str]"]]:
    """A program with all scopes, and the server's process, which is ended at the end."""
    process = subprocess.Popen(
        [LAUNCHER, "serve"],
        env=account.environment,
        cwd=account.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    url = process.stdout.readline().partition("/login")[0]
    try:
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        account.run("token", "rm", "test")
        token = account.ok("token", "create", "test", *scopes).strip()
        with httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=COMMAND_SECONDS,
            trust_env=False,
        ) as client:
            yield client, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=COMMAND_SECONDS)


def texts(client: httpx2.Client, name: str) -> str:
    return json.dumps(client.get(f"/api/sessions/{name}/messages").json())


def state(client: httpx2.Client, name: str) -> str:
    found: dict[str, Any] = client.get(f"/api/sessions/{name}").json()
    return str(found["state"]["value"])


def test_a_session_lives_over_http_and_in_the_terminal_alike(account: Account) -> None:
    project = account.project()
    subprocess.run(["git", "init", "-q", project], check=True)
    with server(account) as (client, process):
        body = {"title": "Fix login", "agent": "opencode", "projects": [str(project)], "mount": True}
        made = client.post("/api/sessions", json=body)
        assert made.status_code == 200, made.text
        name = made.json()["id"]
        assert made.json()["base_url"] == f"http://agent_{name}:4096"
        assert account.sessions() == {name: "running"}
        model = Model(account, name).begin({"text": "Over HTTP"})
        model.shown(READY)
        answer = client.post(f"/api/sessions/{name}/chat", json={"prompt": "say the PAPAYA"})
        assert (answer.status_code, answer.json().get("content")) == (200, "Over HTTP"), answer.text

        place = {"path": f"{project.name}/note.txt"}
        assert client.put(f"/api/sessions/{name}/files/content", params=place, content=b"a note").is_success
        assert (project / "note.txt").read_text() == "a note"
        listed = client.get(f"/api/sessions/{name}/files", params={"path": project.name}).json()
        assert "note.txt" in [entry["name"] for entry in listed]
        assert client.get(f"/api/sessions/{name}/files/content", params=place).content == b"a note"

        model.script({"text": "Typed it is"})
        account.tell(name, "typed word")
        model.shown("Typed it is")
        until(lambda: state(client, name) == "idle", "rest")
        assert all(
            word in texts(client, name) for word in ("PAPAYA", "Over HTTP", "typed word", "Typed it is")
        )

        model.script(
            {"tool": "bash", "input": {"command": "echo PLUM", "description": "say"}}, {"text": "Said"}
        )
        asked = client.post(f"/api/sessions/{name}/chat", json={"prompt": "say it"})
        assert (asked.status_code, asked.json()["code"]) == (409, "needs-answer")
        assert "echo PLUM" in asked.json()["detail"]
        refused = client.post(f"/api/sessions/{name}/chat", json={"prompt": "too early"})
        assert refused.json()["code"] == "needs-answer"
        assert client.post(f"/api/sessions/{name}/answer", json={"answer": "once"}).status_code == 200
        until(lambda: state(client, name) == "idle", "rest")
        assert "Said" in texts(client, name)

        slow = "an answer that comes in pieces"
        for turn in range(3):  # a later turn is told in pieces as the first one
            model.script({"text": slow, "pause": 0.2})
            with client.stream(
                "POST", f"/api/sessions/{name}/chat/stream", json={"prompt": "slowly"}
            ) as stream:
                lines = [line[6:] for line in stream.iter_lines() if line.startswith("data: ")]
            pieces = [json.loads(line)["content"] for line in lines[:-1]]
            assert ("".join(pieces), len(pieces) > 2, lines[-1]) == (slow, True, "[DONE]"), (turn, pieces)

        model.script({"text": "As another one"})
        chosen = {"providerID": "scripted", "modelID": "other"}
        answer = client.post(f"/api/sessions/{name}/chat", json={"prompt": "hi", "model": chosen})
        assert answer.json().get("content") == "As another one", answer.text
        assert model.turns()[-1]["body"]["model"] == "other"
        unknown = {"prompt": "hi", "model": "scripted/none-such"}
        assert client.post(f"/api/sessions/{name}/chat", json=unknown).status_code == 400
        ran = account.run("prompt", "--model", "scripted/none-such", name, "hi")
        assert (ran.code, "no model" in ran.err) == (2, True), ran

        model.script({"text": "a turn that outlives the server", "pause": 1.0})
        body = {"prompt": "go on alone", "when_busy": "queue"}
        with client.stream("POST", f"/api/sessions/{name}/chat/stream", json=body) as stream:
            next(stream.iter_lines())
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 143
    with server(account) as (client, _process):
        until(lambda: "outlives the server" in texts(client, name), "the answer in the record")
        assert b"agent_session_sessions" in client.get("/metrics").content
        stopped = client.post(f"/api/sessions/{name}/stop")
        assert stopped.json().get("status") == "stopped", stopped.text
        started = client.post(f"/api/sessions/{name}/start")
        assert started.json().get("status") == "running", started.text
        until(lambda: state(client, name) == "idle", "rest")
        assert "PAPAYA" in texts(client, name)
        assert client.delete(f"/api/sessions/{name}").status_code == 200
        assert (account.containers(), account.volumes()) == ([], [])
        assert project.is_dir()


def test_a_conversation_has_an_agent_with_its_instructions(account: Account) -> None:
    body = {
        "session_id": "my-session-001",
        "session_name": "Planning",
        "agent_name": "opencode",
        "agent_instructions": "You are a planner. Always mention the KIWANO.",
        "messages": [{"role": "user", "content": "help me plan"}],
    }
    with server(account) as (client, _process), ThreadPoolExecutor(1) as beside:
        asking = beside.submit(client.post, "/api/agent-sessions/conversation", json=body)
        (name,) = until(account.sessions, "the session behind the conversation")
        model = Model(account, name).begin({"text": "A plan"})
        answer = asking.result()
        assert (answer.status_code, answer.json().get("response")) == (201, "A plan"), answer.text
        system = json.dumps(model.turns()[-1]["body"]["messages"])
        assert "KIWANO" in system
        assert "KUMQUAT" in system
        assert "help me plan" in texts(client, name)
        gone = client.delete(f"/api/agent-sessions/{answer.json()['session_uuid']}")
        assert gone.status_code == 204, gone.text
        assert (account.containers(), account.volumes()) == ([], [])
