"""A disk that is full, or has no inode left: a small file system where Podman keeps volumes.

It is mounted in the mount namespace that all of a user's podman commands share, so that no root is needed.
Podman and what is in containers see it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman

FULL = {"bytes": "size=4k", "inodes": "size=64m,nr_inodes=6"}
Mounted = Callable[[str], None]


@pytest.fixture
def small(account: Account) -> Mounted:
    """Mount a small file system over the volumes' directory: `size=`, `nr_inodes=`; "" takes it away."""
    volumes = Path(account.podman("info", "--format", "{{.Store.VolumePath}}"))
    volumes.mkdir(parents=True, exist_ok=True)

    def mount(options: str) -> None:
        if options:
            account.podman("unshare", "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(volumes))
        else:
            account.podman("unshare", "umount", "--lazy", str(volumes))

    return mount


@pytest.mark.parametrize("lacking", FULL)
def test_a_full_storage_is_told_and_nothing_is_lost(account: Account, small: Mounted, lacking: str) -> None:
    project = account.project(README="hello")
    small(FULL[lacking])
    done = account.run("start", "-d", "-a", "shell", project)
    assert (done.code, done.out) == (7, ""), done
    assert "creating the volume agent_default_home: the disk is full" in done.err, (
        "before Podman fills it, and waits for itself"
    )
    assert "hint: podman system df" in done.err
    assert account.containers() == []
    assert account.volumes() == []
    small("")
    account.ok("start", "-d", "-a", "shell", project)


def test_a_session_that_fills_its_disk_can_be_listed_stopped_and_started_again(
    account: Account, small: Mounted
) -> None:
    small("size=48m")
    account.ok("start", "-d", "-a", "shell", account.project())
    account.inside(
        "default", "sh", "-c", "echo kept > ~/notes; dd if=/dev/zero of=$HOME/much bs=1M 2>/dev/null || true"
    )
    assert account.sessions() == {"default": "running"}
    account.ok("stop")
    account.ok("start", "-d", "-n", "default")
    assert account.inside("default", "cat", "/home/agent/notes") == "kept"
    account.inside("default", "rm", "/home/agent/much")
    account.ok("stop")
    account.ok("rm", "-f", "--discard-work", "default")
