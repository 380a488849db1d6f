"""A server that is killed at any step of making, asking and removing a session leaves nothing half-made.

A thread that never goes on is what a kill leaves of one: nothing after it is done, and nothing is undone.
"""

import contextlib
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from agent_session.host import paths
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.served import serving
from tests.unit.server.agent import Agent

STEPS = {
    "create", "rename", "start", "stop", "remove", "create_volume", "remove_volume", "create_network",
    "exec", "exec_as_root", "exec_stream", "run_one_off", "put_secret", "remove_secret",
}  # fmt: skip
SECONDS = 20
Work = Callable[[httpx2.Client, str], httpx2.Response]


class Mortal:
    """An engine that lets nobody go on from a step on: `before` that is done, or after it."""

    def __init__(self, engine: FakeEngine, last: int, *, before: bool) -> None:
        self._engine, self._last, self._before = engine, last, before
        self._lock, self._count = threading.Lock(), 0
        self.dead = threading.Event()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name not in STEPS:
            return found

        def step(*words: Any, **more: Any) -> Any:
            with self._lock:
                self._count += 1
                number = self._count
            if number == self._last and not self._before:
                found(*words, **more)
            if number >= self._last:
                self.dead.set()
                threading.Event().wait()
            return found(*words, **more)

        return step


class Machine:
    """A machine on which servers are killed; its locks are those of a process, so each has its own."""

    def __init__(self, engine: FakeEngine, home: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.state = engine, state
        self.installation = Installation(environment={}, home=home)
        self._patch, self._life = monkeypatch, 0

    def serving(self, engine: object) -> Any:
        self._life += 1
        locks = self.state / f"locks{self._life}"
        locks.mkdir(parents=True)
        self._patch.setattr(paths, "runtime_folder", lambda: locks)
        return serving(self.state, cast(FakeEngine, engine), self.installation, grace=0)

    def killed(self, work: Work, name: str, step: int, *, before: bool) -> bool:
        """Serve until a step of some work; False where the work had fewer steps."""
        engine = Mortal(self.engine, step, before=before)
        with self.serving(engine) as served, served.client(served.token()) as client:
            done = threading.Thread(target=lambda: ended(work, client, name), daemon=True)
            done.start()
            while done.is_alive() and not engine.dead.wait(0.02):
                pass
            return engine.dead.is_set()


def ended(work: Work, client: httpx2.Client, name: str) -> None:
    with contextlib.suppress(httpx2.HTTPError):
        work(client, name)  # its end is a server's that dies: whatever it says, nobody hears it


@pytest.fixture
def machine(house: FakeEngine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(house, home, tmp_path / "state", monkeypatch)


def make(client: httpx2.Client, name: str) -> httpx2.Response:
    return client.post(
        "/api/sessions",
        json={"name": name, "title": name},
        headers={"Idempotency-Key": name},
        timeout=SECONDS,
    )


def chat(client: httpx2.Client, name: str) -> httpx2.Response:
    return client.post(f"/api/sessions/{name}/chat", json={"prompt": f"to {name}"}, timeout=SECONDS)


def remove(client: httpx2.Client, name: str) -> httpx2.Response:
    return client.delete(f"/api/sessions/{name}?discard_work=true", timeout=SECONDS)


def names(engine: FakeEngine) -> set[str]:
    return {one.name for one in engine.containers("")}


when = pytest.mark.parametrize(
    "before", [pytest.param(False, id="after"), pytest.param(True, id="before", marks=pytest.mark.long)]
)


@when
def test_a_session_that_was_being_made_is_made_by_the_same_request(machine: Machine, before: bool) -> None:
    for step in count(1):
        name = f"made{step}"
        died = machine.killed(make, name, step, before=before)
        with machine.serving(machine.engine) as served, served.client(served.token()) as client:
            listed = {one["id"]: one for one in client.get("/api/sessions").json()}
            assert set(listed) <= {name}
            made = make(client, name)
            assert made.status_code == 200, (step, made.text)
            assert client.post(f"/api/sessions/{name}/start").json()["status"] == "running"
            assert chat(client, name).json()["content"] == f"You said to {name}"
            assert names(machine.engine) == {f"agent_{name}"}
            assert remove(client, name).status_code == 200
            assert names(machine.engine) == set()
            assert machine.engine.volumes("") == {}
        if not died:
            assert step > 3
            return


@when
def test_a_session_that_was_being_removed_is_there_or_gone(machine: Machine, before: bool) -> None:
    for step in count(1):
        name = f"gone{step}"
        with machine.serving(machine.engine) as served, served.client(served.token()) as client:
            assert make(client, name).status_code == 200
        died = machine.killed(remove, name, step, before=before)
        with machine.serving(machine.engine) as served, served.client(served.token()) as client:
            told = client.get(f"/api/sessions/{name}").status_code
            again = remove(client, name).status_code
            assert (told, again) in {(200, 200), (404, 200), (404, 404)}, step
            assert names(machine.engine) == set()
            assert make(client, f"{name}b").status_code == 200
            assert remove(client, f"{name}b").status_code == 200
            assert machine.engine.volumes("") == {}
        if not died:
            assert step > 2
            return


@when
def test_no_prompt_is_lost_and_none_in_line_is_given_twice(
    machine: Machine, agent: Agent, before: bool
) -> None:
    name = "talks"
    with machine.serving(machine.engine) as served, served.client(served.token()) as client:
        assert make(client, name).status_code == 200
    for step in count(1):
        died = machine.killed(chat, name, step, before=before)
        with machine.serving(machine.engine) as served, served.client(served.token()) as client:
            assert client.get(f"/api/sessions/{name}").json()["status"] == "running"
            assert chat(client, name).json()["content"] == f"You said to {name}"
            assert client.get(f"/api/sessions/{name}/queue").json() == []
        assert set(agent.prompts) == {f"to {name}"}
        if not died:
            return
