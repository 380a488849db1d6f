"""What a session may do, and what of the user's it gets to see. Looks at one running session only."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.account import Account
from tests.podman.conftest import SECRET

pytestmark = pytest.mark.podman


def test_the_agents_user_is_the_caller_outside_and_1000_inside(running: Account) -> None:
    assert (
        running.inside("default", "sh", "-c", "id -u; id -g; id -un; echo $HOME; pwd")
        == "1000\n1000\nagent\n/home/agent\n/workspace/app"
    )
    pid = int(running.podman("inspect", "--format", "{{.State.Pid}}", "agent_default"))
    assert Path(f"/proc/{pid}").stat().st_uid == os.getuid()


def test_no_capability_is_left_and_none_can_be_gained(running: Account) -> None:
    status = running.inside("default", "cat", "/proc/self/status")
    assert set(re.findall(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\s+(\w+)", status, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert running.inspect()["EffectiveCaps"] in (None, [])
    assert not running.inspect()["HostConfig"]["Privileged"]


def test_namespaces_are_its_own_and_nothing_is_published(running: Account) -> None:
    found = running.inspect()
    assert found["HostConfig"]["NetworkMode"] != "host"
    assert found["HostConfig"]["PidMode"] in ("", "private")
    assert found["HostConfig"]["IpcMode"] in ("", "private", "shareable")
    assert not any((found["NetworkSettings"]["Ports"] or {}).values())
    assert not found["HostConfig"]["PortBindings"]
    for kind in ("net", "pid", "ipc", "mnt", "user", "uts"):
        assert running.inside("default", "readlink", f"/proc/self/ns/{kind}") != str(
            Path(f"/proc/self/ns/{kind}").readlink()
        )


def test_only_the_project_and_its_own_home_are_there(running: Account) -> None:
    mounts = {mount["Destination"]: mount for mount in running.inspect()["Mounts"]}
    project = str(running.project())
    binds = {target: mount["Source"] for target, mount in mounts.items() if mount["Type"] == "bind"}
    assert binds.pop("/workspace/app") == project
    for target, source in binds.items():  # files that protect the project's own repository, and the CA bundle
        assert source.startswith((project, "/etc/", str(running.home / ".local/share/agent-session"))), (
            target,
            source,
        )
    assert mounts["/home/agent"]["Type"] == "volume"
    assert running.inside("default", "ls", "/workspace") == "app"
    for path in (running.home, running.runtime, "/run/podman", "/var/run/docker.sock"):
        assert running.podman_done("exec", "agent_default", "ls", str(path)).code != 0, path


def test_no_runtimes_socket_is_inside(running: Account) -> None:
    assert "podman.sock" not in running.inside(
        "default", "sh", "-c", "find / -xdev -type s 2>/dev/null; cat /proc/mounts"
    )


def test_a_secret_is_in_the_agents_pane_and_nowhere_else(running: Account) -> None:
    told = {
        "inspect": json.dumps(running.inspect()),
        "volume": running.podman("volume", "inspect", "agent_default_home"),
        "list": running.podman("ps", "--all", "--format", "json") + running.ok("ls", "--json"),
        "logs": running.podman("logs", "agent_default"),
        "image": running.podman("image", "inspect", running.inspect()["Image"]),
        "secrets": running.podman("secret", "ls", "--format", "{{.Name}} {{.ID}}"),
        "arguments": running.inside("default", "ps", "-eo", "args"),
        "the environment of other commands": running.inside("default", "env"),
    }
    for arguments in (running.folder / "run").rglob("config.json"):
        told[str(arguments)] = arguments.read_text()
    assert {where for where, text in told.items() if SECRET in text} == set()
    pane = running.inside(
        "default",
        "sh",
        "-c",
        "for p in $(pgrep -f session-pane); do tr '\\0' '\\n' </proc/$p/environ; done; pgrep -x claude",
    )
    assert SECRET not in pane, "the pane's shell has it in its own memory only"
    claude = pane.split()[-1]
    assert f"ANTHROPIC_API_KEY={SECRET}" in running.inside("default", "cat", f"/proc/{claude}/environ").split(
        "\0"
    )
    seeded = "find /run/agent-session/ -type f -perm /077 -path '*seed*'; stat -c %a /run/agent-session/seed/"
    assert running.inside("default", "sh", "-c", seeded) == "700"


def test_the_image_and_the_agent_come_with_no_root_shell(running: Account) -> None:
    assert running.podman_done("exec", "agent_default", "sh", "-c", "command -v sudo").code != 0
    # Without capabilities and new privileges a set-user-id program gains nothing.
    assert running.podman_done("exec", "agent_default", "su", "-c", "id -u").code != 0
    assert running.podman_done("exec", "agent_default", "sh", "-c", "touch /usr/bin/x /etc/x").code != 0
