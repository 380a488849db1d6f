"""Servers in this process, with an engine in memory, on each of the two databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_engine import FakeEngine
from tests.postgres import Postgres, cluster
from tests.served import Served, serving


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
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "state", FakeEngine()) as served:
        yield served


@pytest.fixture
def served_on_both(tmp_path: Path, database_url: str) -> Iterator[Served]:
    with serving(tmp_path / "state", FakeEngine(), database_url=database_url) as served:
        yield served
