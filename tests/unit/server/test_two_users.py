"""Two users side by side: whatever calls each makes, nothing of the other's is told, changed or lost."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.unit.server.test_access import document

FEW, MANY = 3, 1500
"""Examples of at most STEPS calls: some seconds, and about an hour."""
STEPS = 20
NAMES = ["ann", "bob", "n1", "n2"]
"""Of sessions: few, so that the users get in each other's way."""
LOGINS = ("ann", "bob")
LEFT_OUT = re.compile(r"/api/events|/login|/auth/|/metrics|/api/devices")
"""Streams that do not end, and what is about the login itself."""
PASSING = re.compile(r'"(last_used|last_login|since|updated_at)": *("[^"]*"|null)')
LISTS = ("/api/sessions", "/api/agents", "/api/tokens", "/api/agent-sessions")
CALLS = [
    (method.upper(), path)
    for path, methods in document()["paths"].items()
    for method in methods
    if not LEFT_OUT.search(path)
]
Call = tuple[int, tuple[str, str], str, int, int]
calls = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(CALLS),
        st.sampled_from(NAMES),
        st.integers(0, 99),
        st.integers(0, 4),
    ),
    min_size=5,
    max_size=STEPS,
)
CHOSEN: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


class User:
    """A user with a word that is in all of the own texts, and in no answer to the other."""

    def __init__(self, client: httpx2.Client, login: str) -> None:
        self.client, self.word = client, f"{login.upper()}SWORD"

    def view(self) -> list[str]:
        """All that the user has, without what changes by itself."""
        answers = [self.client.get(place) for place in LISTS]
        assert [answer.status_code for answer in answers] == [200] * len(LISTS)
        return [PASSING.sub("", json.dumps(answer.json(), sort_keys=True)) for answer in answers]

    def bodies(self, name: str) -> list[Any]:
        """What is sent: a body for one or another endpoint, which most of them refuse."""
        return [
            None,
            {"name": name, "title": self.word},
            {"prompt": self.word, "when_busy": "queue"},
            {"name": self.word, "scopes": ["sessions:read"], "kind": "opencode", "do": "accept"},
            {"session_id": self.word, "session_name": self.word, "role": "user", "content": self.word,
             "messages": [{"role": "user", "content": self.word}]},
        ]  # fmt: skip


@pytest.fixture
def team(house: FakeEngine, home: Path, tmp_path: Path) -> Iterator[Served]:
    chosen = {"github_client_id": "Iv1.x", "github_client_secret": "0123456789abcdef", "user_prompts": 0}
    installation = Installation(environment={}, home=home)
    with serving(tmp_path / "state", house, installation, allowed_users=",".join(LOGINS), **chosen) as served:
        yield served


@pytest.fixture
def users(team: Served) -> Iterator[tuple[User, User]]:
    with team.client(team.token(login="ann")) as ann, team.client(team.token(login="bob")) as bob:
        both = User(ann, "ann"), User(bob, "bob")
        for one in both:
            made = one.client.post("/api/agents", json={"name": one.word, "kind": "opencode"})
            assert made.status_code < 300, made.text
        for name, one in zip(LOGINS, both, strict=True):
            made = one.client.post("/api/sessions", json={"name": name, "title": one.word})
            assert made.status_code == 200, made.text
        yield both


@given(made=calls)
@settings(max_examples=FEW, derandomize=True, **CHOSEN)
def test_nothing_crosses(users: tuple[User, User], made: list[Call]) -> None:
    for call in made:
        check(users, call)


@pytest.mark.long
@given(made=calls)
@settings(max_examples=MANY, **CHOSEN)
def test_nothing_crosses_for_an_hour(users: tuple[User, User], made: list[Call]) -> None:
    for call in made:
        check(users, call)


def check(users: tuple[User, User], call: Call) -> None:
    """Have one user make a call, with ids of both."""
    which, (method, path), name, number, body = call
    asking, other = users[which], users[1 - which]
    before = other.view()
    ids = [*re.findall(r'"id": "([0-9a-f-]{36})"', "".join([*before, *asking.view()])), "1", "2"]
    fill = {one: ids[number % len(ids)] for one in re.findall(r"\{(\w+)\}", path)}
    words = [asking.word, other.word]
    fill |= {"name": name} if "/sessions/{name}" in path else {"name": words[number % 2]}
    concrete = path.format(**fill)
    answer = asking.client.request(method, concrete, json=asking.bodies(name)[body], params={"path": "."})
    assert answer.status_code != 500, (method, concrete, answer.text)
    asked = answer.text.replace(concrete, "")
    if other.word not in concrete:
        assert other.word not in asked, (method, concrete, answer.text)
    assert other.view() == before, (method, concrete)
