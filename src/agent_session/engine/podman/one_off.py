"""An errand as `podman run` is told it: the podman command, because only it gives a command a terminal or endless streams.

Its container goes with it, unless somebody is killed at the wrong moment. So the name says whose errand it is.
"""

import os
import re
from datetime import datetime, timedelta
from pathlib import Path

from agent_session.engine.podman.specification import root_limits
from agent_session.engine.protocol import Container, Mount, OneOff

PREFIX = "agent-errand-"
OWNED = re.compile(rf"{PREFIX}(\d+)-[0-9a-f]+")
SETTLED = timedelta(minutes=10)
"""Nobody takes so long from making a container to starting it, or from its end to removing it: an image's layers take the longest."""


def new_name() -> str:
    """A name for an errand of this process."""
    return f"{PREFIX}{os.getpid()}-{os.urandom(6).hex()}"


def is_forsaken(container: Container, *, remote: bool, now: datetime) -> bool:
    """Whether an errand's container is nobody's any more: on this machine its owner has ended; on any it has not run for long."""
    if not container.name.startswith(PREFIX):
        return False
    owner = OWNED.fullmatch(container.name)
    if owner and not remote and not Path("/proc", owner[1]).exists():
        return True
    return not container.running and now - (container.ended or container.created) > SETTLED


def arguments(errand: OneOff, *, name: str, rootful: bool, terminal: bool = False) -> list[str]:
    """What follows `podman`.

    Nothing secret may be in an errand: others can read a process's arguments. What it says is in no log.
    """
    return [
        "run", "--rm", f"--name={name}", "--pull=never", "--log-driver=none", "--http-proxy",
        *(["-it", "--detach-keys="] if terminal else ["-i"]),
        *_user(rootful=rootful),
        "--cap-drop=all", "--security-opt=no-new-privileges", "--security-opt=label=disable",
        *([] if errand.network else ["--network=none"]),
        *(f"--env={key}={value}" for key, value in errand.environment.items()),
        *(word for mount in errand.mounts for word in mount_flags(mount)),
        "--entrypoint", errand.command[0], errand.image, *errand.command[1:],
    ]  # fmt: skip


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
    # --mount is comma-separated with CSV quoting, --volume splits at colons: only the first can say every path
    words = ["type=bind", f"source={mount.source}", f"target={mount.target}", "bind-propagation=rprivate"]
    words += ["ro=true"] if mount.read_only else []
    quoted = ['"' + word.replace('"', '""') + '"' if {*word} & {*',"\n'} else word for word in words]
    return ["--mount", ",".join(quoted)]
