"""Servers in this process, with an engine in memory, on each of the two databases."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from agent_session.host import paths
from agent_session.images import build, zellij
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.postgres import Postgres, cluster
from tests.served import Served, serving
from tests.unit.machine import AGENTS, write_agents
from tests.unit.server.agent import Agent


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases, a new one each; "" is SQLite in the state directory."""
    if request.param == "sqlite":
        return ""
    running: Postgres = request.getfixturevalue("postgres")
    return running.new()


@pytest.fixture
def agent() -> Agent:
    """What runs in the containers."""
    return Agent()


@pytest.fixture
def house(home: Path, tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """A machine where the images of all agents are built."""
    folder = write_agents(tmp_path, AGENTS)
    monkeypatch.setattr(paths, "agent_folders", lambda: (folder, home / "agents"))
    monkeypatch.setattr(zellij, "zellij_binary", lambda *_: tmp_path / "zellij")
    engine = FakeEngine(images=[DEFAULT_BASE_IMAGE], commands=agent)
    installation = Installation(environment={}, home=home)
    for one in installation.agents().values():
        build.ensure_image(engine, installation.workshop(), one, tell=lambda *_: None)
    return engine


@pytest.fixture
def served(house: FakeEngine, home: Path, tmp_path: Path) -> Iterator[Served]:
    """A server of one person, on the machine of `house`."""
    with serving(tmp_path / "state", house, Installation(environment={}, home=home)) as served:
        yield served


@pytest.fixture
def program(served: Served) -> Iterator[httpx2.Client]:
    """A program with a token of all scopes."""
    with served.client(served.token()) as client:
        yield client


@pytest.fixture
def served_on_both(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with serving(tmp_path / "state", FakeEngine(), database_url=database_url) as served:
        yield served
