"""The package: built, installed by somebody who has no checkout, and used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_session import __version__
from tests.account import Account
from tests.storage import REPOSITORY
from tests.waiting import COMMAND_SECONDS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make package` makes: the wheel is made of the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, REPOSITORY)
    assert len(list(folder.glob("agent_session-*.tar.gz"))) == 1
    return next(folder.glob("*.whl"))


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    environment = env or {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_an_installed_package_needs_no_checkout(account: Account, wheel: Path, shell: str) -> None:
    place = account.home / "installed"
    run(sys.executable, "-m", "venv", place)
    run(place / "bin" / "pip", "install", "--quiet", wheel)
    program = place / "bin" / "agent-session"

    def told(*arguments: str) -> str:
        return run(program, *arguments, env=account.environment, cwd=account.home)

    assert not list(place.rglob("pictures"))
    assert list(place.rglob("agent_session-*/licenses/LICENSE"))
    assert told("--version") == f"agent-session {__version__}\n"
    agents = {agent["name"]: Path(agent["folder"]) for agent in json.loads(told("agents", "--json"))}
    assert {"claude", "opencode", "shell"} <= agents.keys()
    assert all(place in folder.parents for folder in agents.values())
    assert told("build", "shell").strip() == shell  # the same files, to the byte, are the same image
    account.project("webapp")
    assert told("start", "-d", "-a", "shell", "projects/webapp") == "default\n"
    assert (
        told("completion", "bash") == (place / "share/bash-completion/completions/agent-session").read_text()
    )
    assert (
        (place / "share/zsh/site-functions/_agent-session").read_text().startswith("#compdef agent-session")
    )
    assert (place / "share/fish/vendor_completions.d/agent-session.fish").is_file()
    pages = {file.name for file in (place / "share/man/man1").iterdir()}
    assert {"agent-session.1", "agent-session-start.1", "agent-session-ls.1"} <= pages
