"""Agents of users and their logins: one state machine for all ways, encrypted, delivered,
and told to nobody.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest
from pydantic import SecretStr

from agent_session.engine.command import OneOff
from agent_session.images import build
from agent_session.server import keys
from agent_session.server.agents import NO_AGENT
from agent_session.server.settings import Settings
from agent_session.sessions import find
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.fakes.github import CLIENT_ID, GitHub, github
from tests.served import Served, serving
from tests.storage import REPOSITORY
from tests.unit.server.agent import Agent, until

KEY = "sk-or-v1-0123456789abcdefSECRET"
HOSTS = "sk-host-0123456789HOSTSECRET"


@pytest.fixture
def fake() -> Iterator[GitHub]:
    with github() as fake:
        yield fake


@pytest.fixture
def served(house: FakeEngine, home: Path, tmp_path: Path, fake: GitHub) -> Iterator[Served]:
    """A server whose agents are as they are in the repository, on a machine with a key of its own."""
    installation = Installation(environment={"ANTHROPIC_API_KEY": HOSTS}, home=home)
    for name in ("opencode", "claude"):
        real = (REPOSITORY / "images" / name / "agent.yaml").read_text()
        (tmp_path / "images" / name / "agent.yaml").write_text(re.sub(r"package:\n(  .*\n)+", "", real))
        build.ensure_image(house, installation.workshop(), installation.agents()[name], tell=lambda *_: None)
    chosen = {"github_url": fake.url, "github_copilot_client_id": CLIENT_ID}
    with serving(tmp_path / "state", house, installation, **chosen) as served:
        yield served


@pytest.fixture
def octocat(served: Served) -> Iterator[httpx2.Client]:
    """A user who is not the one that runs the server."""
    with served.client(served.token(login="octocat")) as client:
        yield client


@pytest.fixture
def local(served: Served) -> Iterator[httpx2.Client]:
    with served.client(served.token()) as client:
        yield client


def with_key(client: httpx2.Client, name: str = "mine", **more: Any) -> dict[str, Any]:
    login = {"way": "key", "variable": "OPENROUTER_API_KEY", "key": KEY}
    made = client.post("/api/agents", json={"name": name, "kind": "opencode", "login": login, **more})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def crossed(agent: Agent) -> str:
    """All that crossed over into containers."""
    return "\n".join(stdin for *_, stdin in agent.seeds)


def settled(client: httpx2.Client, number: int, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def is_there() -> bool:
        found.update(client.get(f"/api/agents/{number}").json())
        return found["login"]["status"] in states

    until(is_there)
    return found


def test_without_an_agent_a_user_gets_no_session(served: Served, octocat: httpx2.Client) -> None:
    for body in ({}, {"agent": "claude"}, {"agent": "shell"}):
        refused = octocat.post("/api/sessions", json=body)
        assert (refused.status_code, refused.json()["detail"]) == (400, NO_AGENT)
    said = {"messages": [{"role": "user", "content": "hi"}]}
    assert octocat.post("/api/agent-sessions/conversation", json=said).status_code == 400
    assert served.engine.containers("") == []
    assert served.engine.volumes("") == {}


def test_who_runs_the_server_needs_no_agent(local: httpx2.Client) -> None:
    assert local.get("/api/agents").json() == []
    assert local.post("/api/sessions", json={}).json()["agent"] == "claude"


def test_an_agent_is_made_listed_changed_and_removed(octocat: httpx2.Client, local: httpx2.Client) -> None:
    made = with_key(octocat, description="for work", model="a/b")
    assert made["login"] == {
        "way": "key", "status": "ready", "url": None, "user_code": None, "needs_code": False,
        "expires_at": None, "detail": None,
    }  # fmt: skip
    assert octocat.get("/api/agents").json() == [made]
    assert {"id", "name", "description", "created_at", "last_used"} <= made.keys()
    assert octocat.post("/api/agents", json={"name": "mine"}).status_code == 409
    changed = octocat.patch(f"/api/agents/{made['id']}", json={"name": "yours", "model": None}).json()
    assert (changed["name"], changed["description"], changed["model"]) == ("yours", "for work", None)
    for method, more in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/login"), ("POST", "/code")):
        body = {"way": "machine"} if more == "/login" else {"code": "x"} if more else {}
        answer = local.request(
            method, f"/api/agents/{made['id']}{more}", json=body if method != "GET" else None
        )
        assert (answer.status_code, answer.json()["detail"]) == (404, "Agent not found"), method
    assert octocat.delete(f"/api/agents/{made['id']}").json() == {"message": "Agent deleted successfully"}
    assert octocat.get("/api/agents").json() == []


@pytest.mark.parametrize(
    ("login", "status"),
    [
        ({"way": "machine"}, 400),
        ({"way": "key"}, 400),
        ({"way": "key", "variable": "PATH", "key": KEY}, 400),
        ({"way": "key", "key": "your-key-here"}, 400),
        ({"way": "key", "key": "two words"}, 400),
        ({"way": "key", "key": "line\nline"}, 400),
        ({"way": "telepathy"}, 422),
        ({"way": "agent", "provider": "--help"}, 422),
    ],
)
def test_a_login_that_cannot_be_leaves_no_agent(
    octocat: httpx2.Client, login: dict[str, str], status: int
) -> None:
    refused = octocat.post("/api/agents", json={"name": "mine", "login": login})
    assert refused.status_code == status, refused.text
    assert octocat.get("/api/agents").json() == []
    assert KEY not in refused.text


def test_a_key_reaches_the_sessions_of_its_agent_and_no_other_place(
    served: Served, octocat: httpx2.Client, local: httpx2.Client, agent: Agent, capfd: Any, tmp_path: Path
) -> None:
    made = with_key(octocat)
    answers = [json.dumps(made), octocat.get("/api/agents").text]
    session = octocat.post("/api/sessions", json={"title": "Mine"})
    answers.append(session.text)
    name = session.json()["id"]
    assert session.json()["agent"] == "opencode"
    assert KEY in crossed(agent)
    assert HOSTS not in crossed(agent)
    assert find.get(served.engine, name).account == str(made["id"])
    agent.seeds.clear()
    answers += [octocat.post(f"/api/sessions/{name}/{verb}").text for verb in ("stop", "start")]
    assert KEY in crossed(agent)
    agent.seeds.clear()
    local.post("/api/sessions", json={"agent": "claude"})
    assert HOSTS in crossed(agent)
    assert KEY not in crossed(agent)
    answers += [octocat.get(path).text for path in ("/api/sessions", f"/api/sessions/{name}", "/health")]
    answers += [local.get(path).text for path in ("/api/audit", "/metrics")]
    specifications = repr(served.engine.containers("")) + repr(served.engine.volumes(""))
    logs = capfd.readouterr()
    for place in (*answers, specifications, logs.out, logs.err):
        assert KEY not in place
    for file in (tmp_path / "state").rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
    assert (tmp_path / "state" / "keys").stat().st_mode & 0o777 == 0o600


def test_the_local_user_chooses_between_agents_and_this_machine(
    served: Served, local: httpx2.Client, agent: Agent
) -> None:
    with_key(local, "work")
    assert local.post("/api/sessions", json={"agent": "work"}).status_code == 200
    assert KEY in crossed(agent)
    agent.seeds.clear()
    plain = local.post("/api/sessions", json={"agent": "claude"}).json()
    assert find.get(served.engine, plain["id"]).account == ""
    assert KEY not in crossed(agent)
    machine = local.post("/api/agents", json={"name": "here", "kind": "claude"}).json()
    assert (machine["login"]["way"], machine["login"]["status"]) == ("machine", "ready")


def test_the_device_flow_of_the_documents_makes_an_agent(
    octocat: httpx2.Client, local: httpx2.Client, fake: GitHub, agent: Agent
) -> None:
    device = octocat.get("/auth/device").json()
    assert device.keys() == {"device_code", "user_code", "verification_uri", "expires_in", "interval"}
    assert device["verification_uri"] == f"{fake.url}/login/device"
    asked = {
        "device_code": device["device_code"],
        "expires_in": 900,
        "agent_name": "copilot",
        "agent_description": "",
    }
    pending = octocat.post("/auth/device/poll", json=asked)
    assert (pending.status_code, pending.json()["status"]) == (202, "pending")
    assert local.post("/auth/device/poll", json=asked).status_code == 404
    fake.settle(user_code=device["user_code"])
    until(lambda: octocat.post("/auth/device/poll", json=asked).status_code != 202)
    (made,) = octocat.get("/api/agents").json()
    assert (made["name"], made["kind"], made["login"]["status"]) == ("copilot", "opencode", "ready")
    assert fake.complaints == []
    assert octocat.post("/api/sessions", json={}).status_code == 200
    (token,) = fake.tokens
    assert token in crossed(agent)
    entry = {"type": "oauth", "refresh": token, "access": token, "expires": 0}
    assert json.dumps(entry)[1:-1] in crossed(agent)  # without `access` OpenCode would ignore it
    assert token not in octocat.get("/api/agents").text


@pytest.mark.parametrize(
    ("answer", "state"), [("denied", "denied"), ("expired", "expired"), ("approved", "ready")]
)
def test_a_login_with_github_ends_as_the_person_decides(
    octocat: httpx2.Client, fake: GitHub, answer: str, state: str
) -> None:
    made = octocat.post("/api/agents", json={"name": "mine", "login": {"way": "github"}}).json()
    until(lambda: bool(octocat.get(f"/api/agents/{made['id']}").json()["login"]["user_code"]))
    pending = octocat.get(f"/api/agents/{made['id']}").json()["login"]
    assert (pending["status"], pending["url"]) == ("pending", f"{fake.url}/login/device")
    assert pending["expires_at"]
    refused = octocat.post("/api/sessions", json={"agent": "mine"})
    assert (refused.status_code, "not logged in" in refused.json()["detail"]) == (409, True)
    fake.settle(answer, pending["user_code"])
    done = settled(octocat, made["id"], "ready", "denied", "expired", "failed")
    assert done["login"]["status"] == state
    assert done["login"]["url"] is None
    assert bool(done["login"]["detail"]) == (state != "ready")


def pasting(wanted: OneOff, stdin: IO[bytes], stdout: IO[bytes]) -> int:
    """An agent's own login that shows a page, and wants a code of it."""
    assert wanted.network
    stdout.write(
        b'{"type": "pending", "url": "https://a.invalid/?code=true", "needs_code": true, "expires_in": 600}\n'
    )
    code = stdin.readline().decode().strip()
    if not code:
        return 130
    if code == "no":
        stdout.write(b'{"error": {"kind": "denied", "message": "the code was refused"}}\n')
        return 1
    stdout.write(
        json.dumps({"type": "ready", "environment": {"CLAUDE_CODE_OAUTH_TOKEN": f"tok-{code}"}}).encode()
        + b"\n"
    )
    return 0


@pytest.mark.parametrize(("code", "state"), [("abc#def", "ready"), ("no", "denied")])
def test_a_url_is_opened_and_its_code_pasted(
    served: Served, octocat: httpx2.Client, agent: Agent, code: str, state: str
) -> None:
    served.engine.talks = pasting
    body = {"name": "mine", "kind": "claude", "login": {"way": "agent"}}
    made = octocat.post("/api/agents", json=body).json()
    until(lambda: octocat.get(f"/api/agents/{made['id']}").json()["login"]["needs_code"])
    assert octocat.post(f"/api/agents/{made['id']}/code", json={"code": code}).is_success
    assert settled(octocat, made["id"], "ready", "denied", "failed")["login"]["status"] == state
    late = octocat.post(f"/api/agents/{made['id']}/code", json={"code": code})
    assert late.status_code == 409
    made_now = octocat.post("/api/sessions", json={})
    if state == "ready":
        assert made_now.json()["agent"] == "claude"
        assert "tok-abc#def" in crossed(agent)
    else:
        assert made_now.status_code == 400


def test_a_login_that_goes_on_is_an_event_and_ends_with_its_agent(
    served: Served, octocat: httpx2.Client
) -> None:
    ended: list[int] = []

    def talk(wanted: OneOff, stdin: IO[bytes], stdout: IO[bytes]) -> int:
        code = pasting(wanted, stdin, stdout)
        ended.append(code)
        return code

    served.engine.talks = talk
    with octocat.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        made = octocat.post(
            "/api/agents", json={"name": "mine", "kind": "claude", "login": {"way": "agent"}}
        ).json()
        told = next(
            json.loads(line[6:]) for line in lines if line.startswith("data: ") and "needs_code" in line
        )
    assert (told["agent"], told["login"]["url"]) == (made["id"], "https://a.invalid/?code=true")
    assert octocat.delete(f"/api/agents/{made['id']}").is_success
    until(lambda: ended == [130])


def test_a_login_that_the_servers_end_cuts_off_has_failed(
    house: FakeEngine, home: Path, tmp_path: Path, fake: GitHub
) -> None:
    chosen = {"github_url": fake.url, "github_copilot_client_id": CLIENT_ID}
    installation = Installation(environment={}, home=home)
    real = (REPOSITORY / "images/opencode/agent.yaml").read_text()
    (tmp_path / "images/opencode/agent.yaml").write_text(re.sub(r"package:\n(  .*\n)+", "", real))
    with serving(tmp_path / "state", house, installation, **chosen) as served:
        token = served.token()
        with served.client(token) as client:
            client.post("/api/agents", json={"name": "mine", "login": {"way": "github"}})
    with serving(tmp_path / "state", house, installation, **chosen) as served, served.client(token) as client:
        (found,) = client.get("/api/agents").json()
        assert found["login"]["status"] == "failed"
        assert "server ended" in found["login"]["detail"]


def test_a_new_login_goes_into_running_sessions_and_a_renewed_one_comes_back(
    octocat: httpx2.Client, fake: GitHub, agent: Agent
) -> None:
    made = octocat.post("/api/agents", json={"name": "mine", "login": {"way": "github"}}).json()
    number = made["id"]
    until(lambda: bool(fake.devices))
    fake.settle()
    settled(octocat, number, "ready")
    name = octocat.post("/api/sessions", json={}).json()["id"]
    octocat.post(f"/api/agents/{number}/login", json={"way": "github"})
    until(lambda: bool(fake.devices))
    fake.settle()
    until(lambda: any(order[0] == "take-login" for order in agent.others))
    (given,) = [order[-1] for order in agent.others if order[0] == "take-login"]
    assert any(token in given for token in fake.tokens)
    renewed = {"github-copilot": {"type": "oauth", "refresh": "r2", "access": "RENEWED", "expires": 99}}
    agent.files[".local/share/opencode/auth.json"] = json.dumps(renewed)
    octocat.post(f"/api/sessions/{name}/stop")
    agent.files.clear()
    agent.seeds.clear()
    octocat.post(f"/api/sessions/{name}/start")
    assert "RENEWED" in crossed(agent)


def test_keys_are_renewed_and_older_logins_still_open(served: Served, octocat: httpx2.Client) -> None:
    settings = served.settings
    secret = keys.encrypt(settings, "a login")
    keys.add(settings)
    assert keys.decrypt(settings, secret) == "a login"
    newest, *older = keys.read(settings)
    assert len(older) == 1
    chosen = Settings(server_state=settings.server_state, keys=SecretStr(newest))
    assert keys.decrypt(chosen, keys.encrypt(settings, "again")) == "again"
    assert newest not in repr(chosen)
    with pytest.raises(Exception, match="none of its keys") as refused:
        keys.decrypt(chosen, secret)
    assert newest not in str(refused.value)
    assert octocat.get("/api/agents").status_code == 200
