"""A server that a fake Linear talks with, on an engine in memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent_session.server.linear import settings as linear_settings
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.fakes.linear import SECRET, AgentSession, Linear, linear
from tests.served import Served, serving
from tests.unit.server.agent import Agent, until

TOKEN = "lin_api_test"


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """A server and its Linear."""

    linear: Linear
    served: Served
    agent: Agent

    def answered(self, session: AgentSession, kind: str = "response", times: int = 1) -> list[str]:
        """Wait until so much of a kind was said in a session; return the texts."""
        until(lambda: len(session.said(kind)) >= times)
        return session.said(kind)

    def statistics(self) -> dict[str, int]:
        """The sessions by what became of them."""
        with self.served.client() as client:
            found: dict[str, int] = client.get("/health").json()["linear"]["sessions"]
            return found

    def settled(self) -> None:
        """Wait until no session is active."""
        until(lambda: self.statistics()["active"] == 0)


Bridged = Callable[..., Bridge]


@pytest.fixture
def fake_linear() -> Iterator[Linear]:
    with linear() as fake:
        yield fake


@pytest.fixture
def bridged(
    house: FakeEngine, home: Path, tmp_path: Path, agent: Agent, fake_linear: Linear
) -> Iterator[Bridged]:
    """Start a server for the fake Linear, with choices of a test's."""
    with ExitStack() as stack:

        def start(
            *,
            state: str = "state",
            database_url: str = "",
            public_url: str = "",
            keys: str = "",
            **chosen: Any,
        ) -> Bridge:
            choices = {
                "linear_webhook_secret": SECRET, "linear_api_key": TOKEN, "linear_api_url": fake_linear.url,
                "session_cleanup_interval_minutes": 0.001, **chosen,
            }  # fmt: skip
            served = stack.enter_context(
                serving(
                    tmp_path / state,
                    house,
                    Installation(environment={}, home=home),
                    database_url=database_url,
                    public_url=public_url,
                    keys=keys,
                    linear=linear_settings.read(**choices),
                )
            )
            served.parts.linear.now = fake_linear.now
            fake_linear.webhook = f"{served.url}/webhooks/linear-agent"
            return Bridge(linear=fake_linear, served=served, agent=agent)

        yield start


@pytest.fixture
def bridge(bridged: Bridged) -> Bridge:
    """A server with the usual choices."""
    return bridged()
