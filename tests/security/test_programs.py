"""Programs and Python modules that an agent puts into its home are not run by what the host asks."""

from pathlib import Path

import pytest

from tests.account import Account

pytestmark = [pytest.mark.podman, pytest.mark.long]
NAMES = [
    "timeout",
    "tail",
    "head",
    "rm",
    "sh",
    "cat",
    "python3",
    "git",
    "find",
    "tar",
    "zstd",
    "stat",
    "env",
    "ls",
]
PLANT = r"""
mkdir -p ~/.local/bin ~/.local/lib/python3.13/site-packages
for name in "$@"; do printf '#!/bin/bash\necho "$0" >>/home/agent/RAN\n' >~/.local/bin/$name; done
echo 'open("/home/agent/RAN", "a").write("module\n")' >~/.local/lib/python3.13/site-packages/usercustomize.py
/bin/chmod +x ~/.local/bin/*
"""


def test_what_looks_into_a_stopped_session_runs_nothing_of_its_agent(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("stop")
    home = Path(account.podman("volume", "inspect", "agent_default_home", "--format={{.Mountpoint}}").strip())
    account.podman(
        "run", "--rm", "--network=none", "--userns=keep-id:uid=1000,gid=1000", "--entrypoint=/bin/bash",
        "-v=agent_default_home:/home/agent", account.inspect()["ImageName"], "-c", PLANT, "plant", *NAMES,
    )  # fmt: skip
    assert (home / ".local/bin/tail").exists()
    (account.home / "file").write_text("x")
    for words in (
        ["logs", "default"],
        ["cp", "default:~/.bashrc", account.home / "got"],
        ["cp", account.home / "file", "default:~/file"],
        ["export", "default", account.home / "out.tar.zst"],
        ["logout", "claude"],
        ["rm", "-f", "default"],
    ):
        account.run(*words)
        assert not (home / "RAN").exists(), f"{words}: {(home / 'RAN').read_text()}"
