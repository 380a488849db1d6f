"""The controller: the documents' requests with their secret, for sessions that it made itself alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from agent_session.engine.container import ContainerSpec
from agent_session.errors import ConfigurationError
from agent_session.images import build
from agent_session.inside import WORKSPACE
from agent_session.server import controller
from agent_session.server.errors import Unsafe
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation
from agent_session.sessions.labels import LABEL_AGENT, LABEL_NAME
from tests.fake_engine import FakeEngine
from tests.storage import REPOSITORY
from tests.unit.server.agent import Agent

OLD, NEW = "0123456789abcdef-old", "0123456789abcdef-new"
BODY = {"session_id": "test123", "agent_id": 1, "agent_token": "gho_secret_of_the_agent"}


def of(engine: FakeEngine, home: Path, secret: str) -> Any:
    return controller.create(with_secret(secret), engine, Installation(environment={}, home=home))


def with_secret(secret: str) -> Settings:
    return Settings(service_secret=SecretStr(secret))


@pytest.fixture
def backend(house: FakeEngine, home: Path, tmp_path: Path) -> Iterator[TestClient]:
    real = (REPOSITORY / "images/opencode/agent.yaml").read_text()
    (tmp_path / "images/opencode/agent.yaml").write_text(re.sub(r"package:\n(  .*\n)+", "", real))
    installation = Installation(environment={}, home=home)
    build.ensure_image(
        house, installation.workshop(), installation.agents()["opencode"], tell=lambda *_: None
    )
    with TestClient(of(house, home, f"{OLD}, {NEW}"), headers={"X-Service-Secret": OLD}) as client:
        yield client


def test_a_session_is_made_as_the_documents_say(house: FakeEngine, agent: Agent, backend: TestClient) -> None:
    made = backend.post("/sessions/agent", json=BODY)
    assert made.status_code == 200, made.text
    told = made.json()
    assert told["session_id"] == "test123"
    assert told["agent_id"] == 1
    assert told["container_status"] == "running"
    assert told["base_url"] == "http://agent_test123:4096"
    assert {"container_id", "created_at"} <= told.keys()
    container = house.container("agent_test123")
    assert container is not None
    assert "gho_secret" not in str(container.labels)
    assert any("gho_secret_of_the_agent" in word for seed in agent.seeds for word in seed)
    assert backend.post("/sessions/agent", json=BODY).status_code == 409
    assert [one["session_id"] for one in backend.get("/sessions").json()["sessions"]] == ["test123"]
    running = backend.get("/containers/running").json()
    assert (running["count"], running["containers"][0]["container_name"]) == (1, "agent_test123")
    assert backend.get("/sessions/test123/status").json()["container_running"] is True
    assert backend.get("/sessions/test123/logs?tail=5").json()["session_id"] == "test123"
    assert backend.post("/sessions/test123/stop").json()["status"] == "stopped"
    assert backend.get("/sessions/test123").json()["container_status"] == "exited"
    assert backend.delete("/sessions/test123").json() == {"status": "deleted", "session_id": "test123"}
    assert house.containers("") == []
    assert house.volumes("") == {}


def test_a_session_without_an_agent_of_the_backend_gets_a_token_later(
    house: FakeEngine, agent: Agent, backend: TestClient
) -> None:
    made = backend.post("/sessions", json={"session_id": "plain"}).json()
    assert (made["session_id"], made["agent_id"], made["container_status"]) == ("plain", None, "running")
    assert backend.post("/sessions", json={"session_id": "plain"}).status_code == 409
    told = backend.put("/sessions/plain/auth", json={"github_token": "gho_another_secret"})
    assert told.json() == {"status": "updated", "session_id": "plain"}
    assert any(words[0] == "take-login" and "gho_another_secret" in words[-1] for words in agent.others)
    backend.post("/sessions/plain/stop")
    assert backend.put("/sessions/plain/auth", json={"agent_token": "x"}).status_code == 409
    assert backend.post("/sessions/plain/run", json={"image": "evil"}).status_code == 400
    assert backend.get("/sessions/plain").json()["container_status"] == "exited"
    started = backend.post("/sessions/plain/run", json={"is_agent": True, "agent_token": "gho_third"}).json()
    assert started["container_status"] == "running"
    assert any("gho_third" in word for seed in agent.seeds for word in seed)
    swept = backend.post("/containers/cleanup-orphans")
    assert swept.json() == {"orphans_cleaned": 0, "details": []}
    assert "gho_" not in str(house.container("agent_plain").labels)  # type: ignore[union-attr]


def test_what_it_did_not_make_is_not_there(house: FakeEngine, home: Path, backend: TestClient) -> None:
    labels = {LABEL_NAME: "mine", LABEL_AGENT: "opencode"}
    image = min(house.images.references())
    spec = ContainerSpec(name="agent_mine", image=image, hostname="x", workdir=WORKSPACE, labels=labels)
    house.create(spec)
    assert backend.get("/sessions").json() == {"sessions": []}
    assert backend.get("/containers/running").json()["count"] == 0
    for method, path in (
        ("GET", ""),
        ("GET", "/status"),
        ("GET", "/logs"),
        ("POST", "/stop"),
        ("POST", "/run"),
        ("DELETE", ""),
    ):
        assert backend.request(method, f"/sessions/mine{path}").status_code == 404
    assert backend.post("/sessions/agent", json=BODY | {"session_id": "mine"}).status_code == 409
    assert house.container("agent_mine") is not None
    with TestClient(
        of(house, home, NEW)
    ) as other:  # started again, it has forgotten nothing and sweeps nothing
        assert other.get("/health").json()["status"] == "healthy"
    assert house.container("agent_mine") is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sessions/agent"), ("GET", "/sessions"), ("GET", "/sessions/test123"),
        ("DELETE", "/sessions/test123"), ("POST", "/sessions/test123/stop"),
        ("GET", "/sessions/test123/logs"),
        ("GET", "/sessions/test123/status"), ("GET", "/containers/running"), ("POST", "/sessions"),
        ("PUT", "/sessions/test123/auth"), ("POST", "/sessions/test123/run"),
        ("POST", "/containers/cleanup-orphans"),
    ],
)  # fmt: skip
def test_nothing_is_told_without_the_secret(backend: TestClient, method: str, path: str) -> None:
    for wrong in ("", OLD[:-1], OLD + "x", f"{OLD}, {NEW}", "ü"):
        headers = {b"X-Service-Secret": wrong.encode()}
        answer = backend.request(method, path, json=BODY, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid service secret")
    del backend.headers["X-Service-Secret"]
    assert backend.request(method, path, json=BODY).status_code == 422


def test_two_secrets_hold_while_one_takes_the_place_of_the_other(backend: TestClient) -> None:
    for secret in (OLD, NEW):
        assert backend.get("/sessions", headers={"X-Service-Secret": secret}).status_code == 200


@pytest.mark.parametrize(
    "secret",
    ["short", "default-secret-change-in-production", "your-secret-here-please", f"{OLD},short", "x" * 40],
)
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    with pytest.raises(Unsafe):
        controller.read_secrets(with_secret(secret))


@pytest.mark.parametrize("secret", ["", " , ", f"{OLD},{NEW},{NEW}2"])
def test_it_needs_one_secret_or_two(secret: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        controller.read_secrets(with_secret(secret))
    assert "openssl" in refused.value.hint


@pytest.mark.parametrize(
    "body",
    [
        {"session_id": "../x"},
        {"session_id": "a b"},
        {"session_id": ""},
        {"agent_id": -1},
        {"agent_token": ""},
    ],
)
def test_what_cannot_be_made_leaves_nothing(
    house: FakeEngine, backend: TestClient, body: dict[str, Any]
) -> None:
    assert backend.post("/sessions/agent", json=BODY | body).status_code in {400, 422}
    assert house.containers("") == []
