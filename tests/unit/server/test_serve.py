"""`agent-session serve` as a process: its link, its port, one at a time, its end; and the verbs beside it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from agent_session.cli.commands import serve as serve_command
from agent_session.server.errors import ServerNotInstalled

COMMAND = [sys.executable, "-m", "agent_session"]
LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/login\?token=\S+")
SECONDS = 30


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
        "HOME": str(home),
        "CONTAINER_HOST": "unix:///nonexistent/podman.sock",
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def served(environment: dict[str, str], *arguments: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Its link, and the process; it is asked to end at the end."""
    process = subprocess.Popen(
        [*COMMAND, "serve", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        yield process.stdout.readline().strip(), process
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def ask(url: str, **headers: str) -> httpx2.Response:
    return httpx2.get(url, headers=headers, trust_env=False, timeout=SECONDS)


def test_it_prints_a_link_keeps_its_port_and_ends_when_asked(environment: dict[str, str]) -> None:
    with served(environment) as (link, process):
        found = LINK.fullmatch(link)
        assert found, link
        assert ask(link).status_code == 303
        second = run(environment, "serve")
        assert (second.returncode, "runs already" in second.stderr) == (5, True)
        assert "agent-session serve --url" in second.stderr
        other = run(environment, "serve", "--url")
        assert ask(other.stdout.strip()).status_code == 303
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 143
        assert time.monotonic() - begun < 5
    assert run(environment, "serve", "--url").returncode == 5
    with served(environment) as (link, _process):
        again = LINK.fullmatch(link)
        assert again
        assert again[1] == found[1]


def test_a_token_is_made_listed_and_removed(environment: dict[str, str]) -> None:
    made = run(environment, "token", "create", "ci", "--scope", "tokens", "--scope", "metrics")
    assert made.returncode == 0, made.stderr
    word = made.stdout.strip()
    (listed,) = json.loads(run(environment, "token", "ls", "--json").stdout)
    assert listed["scopes"] == ["tokens", "metrics"]
    assert word not in json.dumps(listed)
    with served(environment) as (link, _process):
        base = link.partition("/login")[0]
        assert ask(f"{base}/metrics", Authorization=f"Bearer {word}").status_code == 200
        assert run(environment, "token", "rm", "ci").returncode == 0
        assert ask(f"{base}/metrics", Authorization=f"Bearer {word}").status_code == 401
    assert run(environment, "token", "rm", "ci").returncode == 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("token", "make"), 2, "create, ls, rm"),
        (("token", "create"), 2, "needs a name"),
        (("token", "create", "x", "--scope", "everything"), 2, "is not a scope"),
        (("token", "create", "x", "--expires", "soon"), 2, "30d"),
        (("token", "ls", "x"), 2, "takes no name"),
        (("share", "--list", "--revoke", "x"), 2, "stand alone"),
        (("share", "--revoke", "x"), 2, "not the id of a link"),
        (("share", "--list", "--for", "1h"), 2, "stand alone"),
        (("share", "web", "--for", "soon"), 2, "15m, 1h, 7d"),
        (("db", "drop"), 2, "upgrade, inspect"),
        (("serve", "--port", "x"), 3, "AGENT_SESSION_PORT"),
        (("serve", "--host", "0.0.0.0"), 3, "--tls-cert"),
        (("serve", "--url"), 5, "does not run"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    environment: dict[str, str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(environment, *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_database_is_made_and_told(environment: dict[str, str]) -> None:
    assert run(environment, "db", "upgrade").returncode == 0
    found = json.loads(run(environment, "db", "inspect", "--json").stdout)
    assert found["version"] == found["newest"]
    assert found["rows"]["users"] == 0


def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agent_session.server.app", None)

    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named 'fastapi' ({name})", name="fastapi")

    monkeypatch.setattr(serve_command, "import_module", missing)
    with pytest.raises(ServerNotInstalled, match="fastapi") as refused:
        serve_command.read_settings()
    assert "pip install" in refused.value.hint
