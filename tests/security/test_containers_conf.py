"""What the user's containers.conf says for all containers does not take a session's walls away."""

from pathlib import Path

import pytest

from agent_session.engine import limits
from tests.account import Account

pytestmark = pytest.mark.podman
HOSTILE = """[containers]
cgroups = "disabled"
default_capabilities = ["SYS_ADMIN", "NET_RAW"]
env_host = true
http_proxy = true
init = true
ipcns = "host"
netns = "host"
pidns = "host"
utsns = "host"
cgroupns = "host"
userns = "host"
log_driver = "none"
seccomp_profile = "/nonexistent"
shm_size = "1m"
umask = "0000"
"""


def settings(account: Account, text: str) -> None:
    (account.home / ".config" / "containers" / "containers.conf").write_text(text)


def test_namespaces_capabilities_and_the_filter_are_the_sessions_own(account: Account) -> None:
    settings(account, HOSTILE)
    account.ok("start", "-d", "-a", "shell", cwd=account.project(), env={"HOSTS_SECRET": "leak"})
    assert "HOSTS_SECRET" not in account.inside("default", "env")
    status = account.inside("default", "cat", "/proc/self/status")
    assert {"Seccomp:\t2", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000"} <= set(status.splitlines())
    inspected = account.inspect()
    assert (inspected["Config"]["Umask"], inspected["HostConfig"]["ShmSize"]) == ("0022", limits.SHM)
    for kind in ("ipc", "net", "pid", "uts", "user"):
        ours = Path(f"/proc/self/ns/{kind}").readlink()
        assert account.inside("default", "readlink", f"/proc/self/ns/{kind}") != str(ours)
    assert account.podman("logs", "agent_default") is not None
    account.ok("cp", "default:/etc/hostname", account.home / "got")
    account.ok("stop")
    account.ok("cp", "default:~/.bashrc", account.home / "got")


def test_a_directory_that_it_adds_is_refused_and_told_by_doctor(account: Account) -> None:
    (account.home / "private").mkdir()
    settings(account, f'[containers]\nvolumes = ["{account.home}/private:/private:rw"]\nenv = ["EVIL=1"]\n')
    done = account.run("start", "-d", "-a", "shell", cwd=account.project())
    assert done.code != 0, done
    assert "containers.conf gives every container mounts that no session may have: /private" in done.err
    assert (account.sessions(), account.containers(), account.volumes()) == ({}, [], [])
    told = account.run("doctor").out
    assert "gives every session directories of this machine (volumes)" in told
    assert "gives every session variables (env)" in told


def test_doctor_says_which_walls_stand(account: Account) -> None:
    told = account.ok("doctor", "--all")
    for wall in (
        "user namespaces",
        "seccomp",
        "landlock",
        "cgroups",
        "letter case",
        "containers.conf",
        "bare repositories",
    ):
        assert f"wall {wall}: " in told
