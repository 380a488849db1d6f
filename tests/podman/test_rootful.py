"""As root, on a VPS or in CI: root inside is root outside, so as little as possible is left of it."""

import json
import os
import re
import signal
import subprocess

import pytest

from tests.account import Account
from tests.waiting import COMMAND_SECONDS, TIMEOUT, until

pytestmark = pytest.mark.rootful


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.fail("these tests are root's: sudo scripts/test --rootful")


def test_root_is_warned_and_keeps_nothing_of_its_power_in_a_session(account: Account) -> None:
    project = account.project(outside="made outside")
    done = account.run("start", "-d", "-a", "shell", cwd=project, env={"ANTHROPIC_API_KEY": "sk-ant-root"})
    assert (done.code, done.out) == (0, "default\n"), done.err
    assert len([line for line in done.err.splitlines() if line.startswith("warning: you are root")]) == 1
    status = account.inside("default", "cat", "/proc/self/status")
    assert set(re.findall(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\s+(\w+)", status, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert account.inside("default", "sh", "-c", "echo $HOME; pwd") == "/home/agent\n/workspace/app"
    assert account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default") == "default\tidle\n"
    assert "read through /proc, without a process" in account.ok("status", "--explain")
    assert account.inspect()["HostConfig"]["NetworkMode"] != "host"
    assert "sk-ant-root" not in json.dumps(account.inspect())
    account.inside("default", "sh", "-c", "echo more >> outside; touch inside ~/kept")
    assert (project / "outside").read_text() == "made outsidemore\n"
    assert (project / "inside").stat().st_uid == 0
    account.ok("stop")
    account.ok("restart", "-d")
    account.inside("default", "ls", "/home/agent/kept")
    account.ok("stop")
    account.ok("rm", "-f", "default")
    assert (account.containers(), account.volumes()) == ([], [])
    assert (project / "inside").exists()


def test_roots_terminal_attaches_and_comes_back(account: Account) -> None:
    project = account.project()
    window = account.window("start", "-a", "shell", cwd=project, columns=60, rows=15)
    window.wait_for("Shell · session default", "app#")
    window.type("echo said-$((1 + 1))", "Enter")
    window.wait_for("said-2")
    window.close()
    bigger = account.window("start", cwd=project, columns=100, rows=30)
    bigger.wait_for("said-2")
    bigger.type("clear; stty size", "Enter")
    bigger.wait_for("28 98")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_start_of_roots_leaves_nothing_in_the_way(
    account: Account, ending: signal.Signals
) -> None:
    process = account.begin("start", "-d", "-a", "shell", cwd=account.project())
    until(
        lambda: process.poll() is not None or (account.storage / "volumes" / "agent_default_home").exists(),
        "the volume",
    )
    process.send_signal(ending)
    process.communicate(timeout=COMMAND_SECONDS)
    if ending != signal.SIGKILL and process.returncode != 0:
        assert process.returncode == 128 + ending
        assert (account.containers(), account.volumes()) == ([], [])
    assert account.ok("start", "-d", "-a", "shell", account.project()) == "default\n"


def test_claude_runs_as_root_in_its_sandbox(account: Account, claude: str) -> None:  # noqa: ARG001
    (account.home / ".claude.json").write_text('{"apiKey": "sk-ant-api03-test0123456789-test0123456789-AA"}')
    nobody = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    terminal = account.window(
        "start", "-a", "claude", cwd=account.project(), env=nobody, columns=110, rows=36
    )
    terminal.wait_for("Claude Code", "❯")


def test_sessions_of_root_and_of_others_are_not_the_same(account: Account, other_account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    assert account.sessions() == {"default": "running"}
    assert other_account.sessions() == {}


def test_roots_limits_are_the_kernels(account: Account) -> None:
    done = account.run(
        "start",
        "-d",
        "-a",
        "shell",
        "--memory",
        "200m",
        "--pids",
        "200",
        "--cpus",
        "0.5",
        cwd=account.project(),
    )
    assert done.code == 0, done.err
    assert "cannot be enforced" not in done.err
    host = account.inspect()["HostConfig"]
    assert (host["Memory"], host["PidsLimit"], host["CpuQuota"]) == (200 << 20, 200, 50_000)
    eaten = account.podman_done("exec", "agent_default", "python3", "-c", "b'x' * (900 << 20)")
    assert eaten.code == 137, "the eater is killed"
    assert account.sessions() == {"default": "running"}, "and nobody else"


def test_a_full_disk_is_found_before_a_start_stumbles_over_it(account: Account) -> None:
    account.storage.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", account.storage], check=True)
    try:
        assert "too little to build an image" in account.ok("doctor")
        with (account.storage / "filler").open("wb") as file:
            file.truncate(0)
            os.posix_fallocate(file.fileno(), 0, 150 << 20)
        done = account.run("doctor")
        assert done.code == 7, done
        assert re.search(
            r"^error    storage: the disk is full: \d+ MB and \d+ inodes left", done.out, re.MULTILINE
        )
        assert "podman image prune" in done.out
    finally:
        account.wait_for_rest()
        subprocess.run(["umount", "--lazy", account.storage], check=True)
