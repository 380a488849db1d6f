"""Every endpoint with every kind of login that does not suffice, read from the OpenAPI document:
none is forgotten.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from agent_session.engine.container import ContainerSpec
from agent_session.inside import WORKSPACE
from agent_session.server import app as application
from agent_session.server.auth.scopes import SCOPES
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation
from agent_session.sessions.labels import LABEL_AGENT, LABEL_NAME, LABEL_OWNER
from tests.fake_engine import FakeEngine
from tests.postgres import Postgres
from tests.served import Served, serving

OPEN = {("GET", "/health"), ("GET", "/login"), ("GET", "/auth/login"), ("GET", "/auth/callback")}
"""What needs no login."""
EVERYBODY = {
    ("GET", "/auth/me"),
    ("GET", "/auth/logout"),
    ("POST", "/auth/logout"),
    ("GET", "/api/devices"),
    ("DELETE", "/api/devices/{id}"),
}
"""What needs a login and no scope: it is about the caller alone."""
SIGNED = {("POST", "/webhooks/linear-agent")}
"""What needs no login, but the sender's signature; test_linear_webhook.py tries it."""
Endpoint = tuple[str, str, tuple[str, ...]]


def document() -> dict[str, Any]:
    parts = application.assemble(
        Settings(), FakeEngine(), Installation(environment={}, home=Settings().server_state)
    )
    found: dict[str, Any] = application.create(parts).openapi()
    return found


def endpoints() -> Iterator[Endpoint]:
    """Each method and path with the scopes that it says it needs."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            needed = {
                scope for one in operation.get("security", []) for scopes in one.values() for scope in scopes
            }
            yield method.upper(), path, tuple(sorted(needed))


ENDPOINTS = list(endpoints())
CLOSED = [one for one in ENDPOINTS if one[:2] not in OPEN | SIGNED]
SCOPED = [one for one in CLOSED if one[:2] not in EVERYBODY]


def ask(client: httpx2.Client, endpoint: Endpoint, name: str = "web") -> httpx2.Response:
    method, path, _ = endpoint
    concrete = path.replace("{id}", "00000000-0000-4000-8000-000000000000")
    concrete = concrete.replace("{agent_id}", "1")
    for place in ("{name}", "{token_name}"):
        concrete = concrete.replace(place, name)
    params = {"path": "x"} if "/files" in path else None
    return client.request(method, concrete, json=BODIES.get((method, path)), params=params)


BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/sessions/{name}/chat"): {"prompt": "x"},
    ("POST", "/api/sessions/{name}/chat/stream"): {"prompt": "x"},
    ("POST", "/api/sessions/{name}/answer"): {"answer": "once"},
    ("POST", "/api/sessions/{name}/review"): {"do": "accept"},
    ("POST", "/api/agents"): {"name": "x"},
    ("PATCH", "/api/agents/{agent_id}"): {"name": "x"},
    ("POST", "/api/agents/{agent_id}/login"): {"way": "machine"},
    ("POST", "/api/agents/{agent_id}/code"): {"code": "x"},
    ("POST", "/auth/device/poll"): {"device_code": "x", "agent_name": "x"},
    ("POST", "/api/tokens"): {"name": "x", "scopes": ["tokens"]},
}


@pytest.fixture(scope="module", params=["local", "team"])
def served(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    """One person's server on SQLite, and a team's on PostgreSQL."""
    chosen: dict[str, Any] = {}
    if request.param == "team":
        running: Postgres = request.getfixturevalue("postgres")
        chosen = {"database_url": running.new(), "allowed_users": "mallory"}
        chosen |= {"github_client_id": "Iv1.x", "github_client_secret": "0123456789abcdef"}
    with serving(
        tmp_path_factory.mktemp("served") / "state", FakeEngine(images=["localhost/x"]), **chosen
    ) as served:
        labels = {LABEL_NAME: "others", LABEL_AGENT: "opencode", LABEL_OWNER: "github:1"}
        spec = ContainerSpec(
            name="agent_others", image="localhost/x", hostname="x", workdir=WORKSPACE, labels=labels
        )
        served.engine.create(spec)
        yield served


def ids(endpoint: Endpoint) -> str:
    return " ".join(endpoint[:2])


def test_every_endpoint_says_which_scope_it_needs() -> None:
    assert {endpoint[:2] for endpoint in ENDPOINTS if not endpoint[2]} == OPEN | SIGNED | EVERYBODY
    assert {scope for endpoint in ENDPOINTS for scope in endpoint[2]} <= set(SCOPES)


@pytest.mark.parametrize("endpoint", CLOSED, ids=ids)
def test_without_a_login_nothing_is_told(served: Served, endpoint: Endpoint) -> None:
    with served.client() as nobody:
        assert ask(nobody, endpoint).status_code == 401


@pytest.mark.parametrize("endpoint", CLOSED, ids=ids)
def test_with_an_expired_token_nothing_is_told(served: Served, endpoint: Endpoint) -> None:
    old = served.token(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with served.client(old) as late:
        assert ask(late, endpoint).status_code == 401


@pytest.mark.parametrize("endpoint", SCOPED, ids=ids)
def test_with_all_scopes_but_the_needed_one_it_is_forbidden(served: Served, endpoint: Endpoint) -> None:
    others = [scope for scope in SCOPES if scope not in endpoint[2]]
    with served.client(served.token(*others)) as weak:
        answer = ask(weak, endpoint)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("endpoint", [one for one in SCOPED if set(one[2]) & {"admin", "metrics"}], ids=ids)
def test_only_an_administrator_gets_what_is_an_administrators(served: Served, endpoint: Endpoint) -> None:
    with served.client(served.token(login="mallory")) as user:
        assert ask(user, endpoint).status_code == 403


@pytest.mark.parametrize("login", ["local", "mallory"])
@pytest.mark.parametrize("endpoint", [one for one in SCOPED if "{name}" in one[1]], ids=ids)
def test_what_is_not_there_and_what_is_anothers_are_told_alike(
    served: Served, endpoint: Endpoint, login: str
) -> None:
    with served.client(served.token(login=login)) as user:
        answers = [ask(user, endpoint, name) for name in ("web", "others")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["detail"] == "Session not found"
