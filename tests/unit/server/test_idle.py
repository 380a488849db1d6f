"""Sessions whose agents have rested for long are stopped, and no others."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from agent_session.errors import ConfigurationError
from agent_session.server import idle, settings
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.unit.server.agent import Agent, until
from tests.unit.server.test_sessions import in_state, make
from tests.unit.state_file import now


@pytest.fixture
def served(
    house: FakeEngine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    monkeypatch.setattr(idle.stop_idle, "__kwdefaults__", {"each": 0.2})
    installation = Installation(environment={}, home=home)
    with serving(tmp_path / "state", house, installation, idle_stop="2h") as served:
        yield served


def statuses(program: httpx2.Client) -> dict[str, str]:
    return {one["title"]: one["status"] for one in program.get("/api/sessions").json()}


def test_only_who_rests_for_long_is_stopped(served: Served, agent: Agent) -> None:
    with served.client(served.token()) as program:
        for title, value, hours in (
            ("long", "idle", 3), ("short", "idle", 1), ("works", "working", 3), ("waits", "waiting", 3),
            ("failed", "failed", 3), ("unknown", "unknown", 3),
        ):  # fmt: skip
            name = make(program, title)["id"]
            served.engine.grow_old(f"agent_{name}")
            in_state(served, name, value, since=now(ago=hours * 3600))
        until(lambda: statuses(program)["long"] == "stopped")
        assert [title for title, status in statuses(program).items() if status == "stopped"] == ["long"]
        actions = [entry["action"] for entry in program.get("/api/audit").json()]
        assert actions.count("stop_idle") == 1
    assert agent.prompts == []


@pytest.mark.parametrize("text", ["2", "h", "0h", "-1h", "2 h", "soon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_SESSION_IDLE_STOP"):
        settings.read(idle_stop=text)
