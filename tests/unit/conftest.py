"""What every unit test gets: a home of its own, and none of the caller's environment."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_session.cli import questions
from tests.unit.machine import Machine, make_machine

NOBODY = 65534


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, which HOME and the XDG variables name."""
    for name in list(os.environ):
        if name.startswith(("AGENT_SESSION_", "XDG_", "CONTAINER_", "ANTHROPIC_", "CLAUDE_")) or name in {
            "NO_COLOR",
            "SSL_CERT_FILE",
            "TZ",
        }:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return home


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder of a user who is not root, for as long as we are that user: root may read everything."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        if root:
            os.setresuid(0, 0, 0)
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture
def bare(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Machine:
    """A machine where no image is built, without a terminal."""
    return make_machine(home, tmp_path, monkeypatch, capsys)


@pytest.fixture
def machine(bare: Machine) -> Machine:
    """A machine where all images are built, without a terminal."""
    bare.ok("build", "--all")
    return bare


@pytest.fixture
def no_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "pick_agent", _never)
    monkeypatch.setattr(questions, "confirm", _never)


def _never(*_: object, **__: object) -> object:
    pytest.fail("a question was asked")


@pytest.fixture
def free() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
