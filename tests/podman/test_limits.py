"""Limits hold, or are said not to: a fork bomb and an agent that takes all memory,
on this machine's own kernel.
"""

import json

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.podman
VAIN = "cannot be enforced here"


def pids(account: Account, session: str = "default") -> int:
    """How many processes and threads there are in a session, seen from its container's root,
    whom no limit of the agent's holds.
    """
    listing = account.podman(
        "exec",
        "--privileged",
        "--user",
        "0",
        f"agent_{session}",
        "sh",
        "-c",
        "ls -d /proc/[0-9]*/task/[0-9]* | wc -l",
    )
    return int(listing)


def test_a_fork_bomb_ends_at_the_limit_and_its_session_can_be_stopped(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", "--pids", "150", cwd=project)
    account.ok("start", "-d", "-a", "shell", "-n", "neighbour", "--pids", "150", cwd=project)
    account.podman("exec", "--detach", "agent_default", "sh", "-c", "f() { sleep 60 & f & f & wait; }; f")
    until(lambda: pids(account) > 100, "the bomb")
    highest = max(pids(account) for _ in range(5))
    assert highest <= 160, "the limit, and this test's own look"
    assert (
        account.inside("neighbour", "sh", "-c", "for i in $(seq 50); do sleep 5 & done; echo alive")
        == "alive"
    )
    account.ok("stop")
    assert account.sessions() == {"default": "stopped", "neighbour": "running"}
    account.ok("start", "-d", "-n", "default")
    assert "agent@" in account.screen()


def test_memory_is_limited_or_said_not_to_be(account: Account) -> None:
    done = account.run(
        "start", "-d", "-a", "shell", "--memory", "256m", "--cpus", "1.5", cwd=account.project()
    )
    assert (done.code, done.out) == (0, "default\n"), done.err
    listed = json.loads(account.ok("ls", "--json"))[0]
    assert (listed["memory"], listed["cpus"], listed["pids"]) == (256 << 20, 1.5, 4096)
    if VAIN in done.err:
        assert len([line for line in done.err.splitlines() if VAIN in line]) == 1
        assert account.inspect()["HostConfig"]["Memory"] == 0
        return
    eaten = account.podman_done("exec", "agent_default", "python3", "-c", "b'x' * (900 << 20)")
    assert eaten.code == 137
    assert account.sessions() == {"default": "running"}


def test_limits_stay_with_a_session_and_a_restart_changes_them(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", "--pids", "200", cwd=account.project())
    account.inside("default", "touch", "/home/agent/kept")
    refused = account.run("start", "-d", "-n", "default", "--pids", "300")
    assert refused.code == 5
    assert "--pids" in refused.err
    account.ok("stop")
    account.ok("restart", "-d")
    assert json.loads(account.ok("ls", "--json"))[0]["pids"] == 200
    account.ok("stop")
    account.ok("start", "-d", "-n", "default", "--pids", "0")
    assert json.loads(account.ok("ls", "--json"))[0]["pids"] is None
    account.inside("default", "ls", "/home/agent/kept")
