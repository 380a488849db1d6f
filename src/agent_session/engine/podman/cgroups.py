"""The limits that this machine's kernel supports, read from its files: asking Podman costs 130 ms."""

import os
import platform
from pathlib import Path

from agent_session.engine.limits import Kernel

ROOT = Path("/sys/fs/cgroup")


def kernel(*, rootful: bool, root: Path = ROOT) -> Kernel:
    """Read this machine's kernel, with the controllers that Podman itself would find for this user.

    Of v1 only root may use any; of v2 others may use what systemd delegated to them
    (systemd.resource-control(5), Delegate=).
    """
    return Kernel(
        cgroups="v2" if (root / "cgroup.controllers").exists() else "v1",
        controllers=frozenset(_controllers(rootful=rootful, root=root)),
        release=platform.release(),
    )


def _controllers(*, rootful: bool, root: Path) -> list[str]:
    me = os.geteuid()
    place = root if rootful else root / "user.slice" / f"user-{me}.slice" / f"user@{me}.service"
    try:
        if (root / "cgroup.controllers").exists():
            return (place / "cgroup.controllers").read_text().split()
        return [path.name for path in root.iterdir()] if rootful else []
    except OSError:
        return []
