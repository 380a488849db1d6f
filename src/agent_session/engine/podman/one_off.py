"""One-off containers as arguments of `podman run`, which alone offers terminals and long streams.

Podman removes the container at its end. A kill at the wrong moment leaves it, so its name holds the process
that made it.
"""

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from agent_session.engine.command import OneOff
from agent_session.engine.container import Container, Mount
from agent_session.engine.podman.seccomp_profile import STRICT
from agent_session.engine.podman.specification import SLIRP, root_limits

ENVIRONMENT = ("--env=PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "--env=PYTHONNOUSERSITE=1")
"""Of commands where the agent writes: no program or module in its home takes the place of the image's."""
PREFIX = "agent-one-off-"
OWNED = re.compile(rf"{PREFIX}(\d+)-[0-9a-f]+")
SETTLED = timedelta(minutes=10)
"""Longer than any command takes from making a container to starting it, or from its end to removing it."""


def new_name() -> str:
    """A name for a one-off container of this process."""
    return f"{PREFIX}{os.getpid()}-{os.urandom(6).hex()}"


def is_abandoned(container: Container, *, local: bool, now: datetime) -> bool:
    """Whether a one-off container has lost its owner.

    On this machine the owner's process has ended; on any machine the container has not run for long.
    """
    if not container.name.startswith(PREFIX):
        return False
    owner = OWNED.fullmatch(container.name)
    if owner and local and not Path("/proc", owner[1]).exists():
        return True
    return not container.running and now - (container.ended or container.created) > SETTLED


def arguments(
    wanted: OneOff,
    *,
    name: str,
    rootful: bool,
    network: str = SLIRP,
    terminal: bool = False,
    verb: Literal["run", "create"] = "run",
) -> list[str]:
    """The words after `podman` that run a one-off container, or make one.

    A one-off container may hold no secret: other users can read a process's arguments. Its output is in no
    log.
    """
    return [
        verb, "--rm", f"--name={name}", "--pull=never", "--log-driver=none",
        f"--http-proxy={str(wanted.network).lower()}",
        "--cgroups=enabled", "--umask=0022",
        "--pid=private", "--ipc=private", "--uts=private",
        *(["-it", "--detach-keys="] if terminal else ["-i"]),
        *_user(rootful=rootful),
        "--cap-drop=all", "--security-opt=no-new-privileges", "--security-opt=label=disable",
        *(["--user=0:0", "--cap-add=dac_read_search"] if wanted.reads_all else []),
        f"--security-opt=seccomp={STRICT}",
        f"--network={network if wanted.network else 'none'}",
        *_environment(wanted),
        *(word for mount in wanted.mounts for word in mount_flags(mount)),
        "--entrypoint", wanted.command[0], wanted.image, *wanted.command[1:],
    ]  # fmt: skip


def _environment(wanted: OneOff) -> list[str]:
    """Flags that set variables: no program or module in a volume takes the place of the image's."""
    writable = any(mount.kind == "volume" for mount in wanted.mounts)
    return [*(ENVIRONMENT if writable else []), *(f"--env={k}={v}" for k, v in wanted.environment.items())]


def _user(*, rootful: bool) -> list[str]:
    """Flags that make the container's user the caller; root's with limits that it may give."""
    if rootful:
        return ["--user=0:0", *(f"--ulimit={x['type']}={x['soft']}:{x['hard']}" for x in root_limits())]
    return ["--userns=keep-id:uid=1000,gid=1000", "--user=1000:1000"]


def mount_flags(mount: Mount) -> list[str]:
    """One mount as the podman command is told it."""
    if mount.kind == "tmpfs":
        return ["--tmpfs", f"{mount.target}:rw,nosuid,nodev,mode={'755' if mount.read_only else '1777'}"]
    if mount.kind == "volume":
        return ["--volume", f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'}"]
    # --mount is comma-separated with CSV quoting, --volume splits at colons: only the first can say every
    # path
    words = ["type=bind", f"source={mount.source}", f"target={mount.target}", "bind-propagation=rprivate"]
    words += ["ro=true"] if mount.read_only else []
    quoted = ['"' + word.replace('"', '""') + '"' if {*word} & {*',"\n'} else word for word in words]
    return ["--mount", ",".join(quoted)]
