"""What a session keeps when its container is another: by update, by login and logout;
and where a login can be read.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import probe as probe_agent
from tests.account import Account
from tests.storage import LAUNCHER, Storage
from tests.waiting import until

pytestmark = pytest.mark.podman

TOKEN = "probe-token-" + "0123456789abcdef" * 6
KEY = "sk-ant-api03-a-key-of-the-tests"


@pytest.fixture(scope="module")
def images(storage: Storage) -> dict[str, str]:
    """The probe's images, by version."""
    return probe_agent.build(storage)


@pytest.fixture
def probe(account: Account, images: dict[str, str]) -> Account:  # noqa: ARG001
    """An account with an agent of its own, which can log in."""
    change(account, "one")
    return account


def change(account: Account, version: str) -> None:
    """Give the account's agent another version."""
    probe_agent.write(account.agents / "probe", version)


def stored(account: Account) -> list[str]:
    return account.podman("secret", "ls", "--format", "{{.Name}}").split()


# --- update


def listed(account: Account) -> list[dict[str, Any]]:
    """What `ls` tells of sessions, but for what their agents do at the moment."""
    return [
        {key: value for key, value in one.items() if key != "state"}
        for one in json.loads(account.ok("ls", "--json"))
    ]


def test_update_keeps_everything_but_the_image(probe: Account) -> None:
    project = probe.project()
    for name in ("runs", "rests"):
        probe.ok("start", "-d", "-a", "probe", "-n", name, "--auto-approve", cwd=project)
        probe.inside(
            name, "sh", "-c", "echo kept > ~/kept; echo kept > /workspace/kept; npm --version >/dev/null"
        )
    probe.ok("stop", "rests")
    before = listed(probe)
    assert probe.ok("update", "--all") == ""
    change(probe, f"{time.monotonic_ns()}")
    probe.ok("build", "probe")
    assert set(probe.ok("update", "--all").split()) == {"runs", "rests"}
    after = listed(probe)
    assert {session.pop("image") for session in before}.isdisjoint(
        {session.pop("image") for session in after}
    )
    assert after == before
    probe.ok("start", "-d", "-n", "rests")
    for name in ("runs", "rests"):
        assert (
            probe.inside(name, "sh", "-c", "cat ~/kept /workspace/kept; version | wc -w") == "kept\nkept\n1"
        )
        assert (
            probe.inside(
                name, "sh", "-c", ". /run/agent-session/seed/environment; echo $AGENT_SESSION_AUTO_APPROVE"
            )
            == "1"
        )
    assert sorted(probe.containers()) == ["agent_rests", "agent_runs"]


def test_update_to_an_image_that_does_not_start_leaves_the_session_running(probe: Account) -> None:
    probe.ok("start", "-d", "-a", "probe", cwd=probe.project())
    probe.inside("default", "sh", "-c", "echo kept > ~/kept")
    change(probe, "broken")
    before = listed(probe)
    assert probe.run("update").code == 9
    assert listed(probe) == before
    assert before[0]["status"] == "running"
    assert probe.inside("default", "cat", "/home/agent/kept") == "kept"
    assert probe.containers() == ["agent_default"]


@pytest.mark.parametrize("moment", ["agent-next_default", "running", 0.6])
def test_an_update_that_is_killed_leaves_one_session_with_all_it_had(
    probe: Account, moment: str | float
) -> None:
    probe.ok("start", "-d", "-a", "probe", cwd=probe.project())
    probe.inside("default", "sh", "-c", "echo kept > ~/kept")
    change(probe, "two")
    update = probe.begin("update")
    if isinstance(moment, float):
        time.sleep(moment)
    else:
        wanted = "agent-next_default" + (" running" if moment == "running" else "")
        until(lambda: wanted in _states(probe) or update.poll() is not None, wanted)
    update.send_signal(signal.SIGKILL)
    update.communicate()
    assert list(probe.sessions()) == ["default"]
    probe.ok("start", "-d", "-n", "default")
    assert probe.inside("default", "cat", "/home/agent/kept") == "kept"
    probe.ok("update")
    probe.ok("stop")
    probe.ok("start", "-d", "-n", "default")
    assert probe.containers() == ["agent_default"]
    probe.ok("stop")
    probe.ok("rm", "-f", "default")
    assert (probe.containers(), probe.volumes()) == ([], [])


@pytest.mark.parametrize("verb", [["start", "-d", "-n", "default"], ["restart", "-d"], ["update"]])
def test_after_an_update_that_was_killed_between_its_last_two_steps_the_session_is_found_as_it_runs(
    probe: Account, verb: list[str]
) -> None:
    probe.ok("start", "-d", "-a", "probe", cwd=probe.project())
    probe.podman("rename", "agent_default", "agent-next_default")
    probe.ok(*verb)
    assert (probe.containers(), probe.sessions()) == (["agent_default"], {"default": "running"})
    probe.ok("stop")


def _states(account: Account) -> str:
    return account.podman("ps", "--all", "--format", "{{.Names}} {{.State}}")


# --- login


def test_a_login_on_the_terminal_is_for_every_later_session_until_logout(probe: Account) -> None:
    probe.ok("start", "-d", "-a", "probe", "-n", "before", cwd=probe.project())
    for columns in (40, 200):
        window = probe.window("login", "probe", columns=columns)
        window.wait_for("Code:")
        window.type("open", "Enter")
        window.wait_for("is logged in")
        assert window.wait_for_end() == 0
    assert stored(probe) == ["agent-session-login-probe"]
    probe.ok("start", "-d", "-a", "probe", "-n", "after", cwd=probe.project())
    assert _token(probe, "after") == TOKEN
    assert _token(probe, "before") == ""
    probe.ok("stop", "before")
    probe.ok("restart", "-d", "before")
    assert _token(probe, "before") == TOKEN
    probe.ok("logout", "probe")
    assert stored(probe) == []
    probe.ok("stop", "--all")
    for name in ("before", "after"):
        probe.ok("start", "-d", "-n", name)
        assert _token(probe, name) == ""
        assert probe.inside(name, "sh", "-c", "ls /run/secrets 2>/dev/null | wc -l") == "0"
    assert list((probe.runtime / "agent-session").glob("login-*")) == []


def _token(account: Account, session: str) -> str:
    return account.inside(session, "sh", "-c", ". /run/agent-session/seed/environment; echo $PROBE_TOKEN")


def test_a_login_that_fails_or_is_left_stores_nothing(probe: Account) -> None:
    window = probe.window("login", "probe")
    window.wait_for("Code:")
    window.type("wrong", "Enter")
    assert window.wait_for_end() == 1
    window = probe.window("login", "probe")
    window.wait_for("Code:")
    window.press("C-c")
    assert window.wait_for_end() != 0
    assert (stored(probe), probe.containers()) == ([], [])
    assert list((probe.runtime / "agent-session").glob("login-*")) == []


def test_the_hosts_own_variable_counts_more_than_the_stored_login(probe: Account) -> None:
    assert probe.run("login", "probe", "--token-stdin", stdin=f"{TOKEN}\n").code == 0
    probe.ok("start", "-d", "-a", "probe", cwd=probe.project(), env={"PROBE_TOKEN": "mine"})
    assert _token(probe, "default") == "mine"


def test_opencode_gets_a_stored_login_as_its_file(account: Account, opencode: str) -> None:  # noqa: ARG001
    login = {"anthropic": {"type": "api", "key": KEY}}
    done = account.run("login", "opencode", "--token-stdin", stdin=json.dumps(login))
    assert done.code == 0, done.err
    done = account.run("start", "-d", "-a", "opencode", cwd=account.project())
    assert "no login" not in done.err
    file = "/home/agent/.local/share/opencode/auth.json"
    assert json.loads(account.inside("default", "cat", file)) == login
    assert account.inside("default", "stat", "-Lc", "%a", file) == "600"


# --- where a key can be read


@pytest.mark.parametrize("way", ["variable", "file", "login"])
def test_a_key_is_nowhere_but_with_the_agent_and_gone_with_rm(probe: Account, way: str) -> None:
    key = TOKEN if way == "login" else KEY
    env = {"PROBE_KEY": key} if way == "variable" else {}
    if way == "file":
        (probe.home / ".probe.json").write_text(json.dumps({"apiKey": key}))
    said = []
    if way == "login":
        done = probe.run("login", "probe", "--token-stdin", stdin=f"{key}\n")
        said += [done.out, done.err]
    arguments = _Arguments(key)
    for command in (
        ["start", "-d", "-a", "probe", "--json"],
        ["ls", "--json"],
        ["agents", "--json"],
        ["stop"],
        ["restart", "-d"],
        ["export", "default", "x.tar.zst"],
        ["start", "-d", "-a", "nobody", "-n", "x"],
    ):
        with arguments.watched(probe.begin(*command, cwd=probe.project(), env=env)) as (out, err):
            said += [out, err]
    assert key in probe.inside("default", "sh", "-c", "cat $(find /run/agent-session/seed/ -type f)")
    inspected = probe.podman("container", "inspect", "agent_default") + probe.podman(
        "volume", "inspect", "agent_default_home"
    )
    secret = probe.podman("secret", "inspect", "agent-session-login-probe") if way == "login" else ""
    told = {
        "what was printed": "".join(said),
        "inspect": inspected + secret,
        "image": probe.podman("history", "--no-trunc", str(probe.inspect()["Image"]))
        + probe.podman("image", "inspect", str(probe.inspect()["Image"])),
        "logs": probe.podman("logs", "agent_default"),
        "list": probe.podman("ps", "--all", "--format", "json"),
        "arguments in the container": probe.inside("default", "ps", "-eo", "args"),
        "environment of other commands": probe.inside("default", "env"),
        "our logs": _contents(probe.home / ".local/state") + _contents(probe.runtime / "agent-session"),
    }
    assert {where for where, text in told.items() if key in text} == set()
    assert arguments.seen == []
    readable = 'find / -xdev -type f -perm /044 -exec grep -l -s -F -e "$0" {} + 2>/dev/null; true'
    assert probe.inside("default", "sh", "-c", readable, key) == ""
    probe.ok("stop")
    probe.ok("rm", "-f", "default")
    probe.ok("logout", "probe")
    (probe.home / "projects/app/x.tar.zst").unlink()
    (probe.home / ".probe.json").unlink(missing_ok=True)
    found = subprocess.run(
        ["podman", "unshare", "grep", "-rlsF", "-e", key, str(probe.folder)],
        env=probe.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def _contents(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


class _Arguments:
    """Watches every process of this machine for a key in its arguments while a command runs."""

    def __init__(self, key: str) -> None:
        self.key = key.encode()
        self.seen: list[str] = []

    def watched(self, process: "subprocess.Popen[str]") -> "_Watching":
        return _Watching(self, process)

    def look(self) -> None:
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit() and int(directory.name) != os.getpid():
                try:
                    if self.key in (directory / "cmdline").read_bytes():
                        self.seen.append((directory / "comm").read_text())
                except OSError:
                    continue


class _Watching:
    def __init__(self, arguments: _Arguments, process: "subprocess.Popen[str]") -> None:
        self.arguments, self.process = arguments, process

    def __enter__(self) -> tuple[str, str]:
        while self.process.poll() is None:
            self.arguments.look()
            time.sleep(0.01)
        return self.process.communicate()

    def __exit__(self, *_: object) -> None:
        return


def test_a_traceback_shows_no_key(probe: Account) -> None:
    """A bug is told with its traceback: never with values."""
    code = (
        "import agent_session.agents.seed as s; s._add = lambda *a: 1/0; "
        "from agent_session.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "start", "-d", "-a", "probe"],
        env=probe.environment | {"PROBE_KEY": KEY, "PYTHONPATH": str(LAUNCHER.parent / "src")},
        cwd=probe.project(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert (probe.containers(), probe.volumes()) == ([], [])
