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
default_sysctls = ["net.ipv4.ping_group_range=0 1000"]
default_ulimits = ["core=-1:-1"]
keyring = true
oom_score_adj = -500
privileged = true
[engine]
no_pivot_root = true
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
    assert account.inside("default", "cat", "/proc/sys/net/ipv4/ping_group_range").split() != ["0", "1000"]
    assert account.inside("default", "cat", "/proc/self/oom_score_adj") == "0"
    assert account.podman("logs", "agent_default") is not None
    account.ok("cp", "default:/etc/hostname", account.home / "got")
    account.ok("stop")
    account.ok("cp", "default:~/.bashrc", account.home / "got")


def test_a_directory_device_or_annotation_that_it_adds_is_refused_and_told_by_doctor(
    account: Account,
) -> None:
    (account.home / "private").mkdir()
    for line, refused in (
        (
            f'volumes = ["{account.home}/private:/private:rw"]',
            "mounts or devices that no session may have: /private",
        ),
        ('devices = ["/dev/fuse:/dev/fuse:rwm"]', "mounts or devices that no session may have: /dev/fuse"),
        (
            'annotations = ["run.oci.keep_original_groups=1"]',
            "annotations that no session may have: run.oci.keep_original_groups",
        ),
    ):
        settings(account, f'[containers]\n{line}\nenv = ["EVIL=1"]\n')
        done = account.run("start", "-d", "-a", "shell", cwd=account.project())
        assert done.code != 0, done
        assert f"containers.conf gives every container {refused}" in done.err
        assert (account.sessions(), account.containers(), account.volumes()) == ({}, [], [])
        told = account.run("doctor").out
        assert f"({line.partition(' ')[0]})" in told
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
