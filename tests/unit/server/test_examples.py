"""The commands that docs/server.md shows run as they are written."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_session.sessions.installation import Installation
from tests.documents import blocks
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.storage import REPOSITORY
from tests.unit.server.agent import Agent, house

__all__ = ["house"]


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def served(house: FakeEngine, home: Path, tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "state", house, Installation(environment={}, home=home)) as served:
        yield served


def test_the_curl_lines_do_what_they_say(served: Served) -> None:
    (block,) = [text for _, text in blocks(REPOSITORY / "docs" / "server.md") if "api() {" in text]
    lines = [line for line in block.splitlines() if not line.startswith("TOKEN=")]
    script = "\n".join(lines).replace("--max-time 60", "--max-time 2")
    done = subprocess.run(
        ["bash", "-c", f"URL={served.url}\nTOKEN={served.token()}\n{script}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "no_proxy": "*"},
    )
    assert '"id":"fix-login"' in done.stdout, done.stderr
    assert '"content":"You said why is the login page slow?"' in done.stdout
    assert "event: snapshot" in done.stdout
