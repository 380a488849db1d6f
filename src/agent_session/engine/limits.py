"""The limits of a session: memory, processors and processes, written as for Docker and Podman.

Nothing is read here. Whether the kernel can enforce a limit is judged by `unenforced` from what cgroups.py
read.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agent_session.errors import Hint

SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kmgt])i?b?|b)?", re.IGNORECASE)
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
LEAST_MEMORY = 64 << 20
"""A terminal with a shell in it needs about 50 MB; with less than this a session only dies at its start, and
says less."""
LEAST_PIDS = 64
MOST = 1 << 62
SHM = 1 << 30
"""Bytes of /dev/shm. Podman's own 64 MB are too few for browsers and test workers; only what is used costs
memory."""
PIDS = 4096
"""Twice Podman's own default: threads count too, and an agent with its language servers and a parallel build
has many. A fork bomb ends there long before the kernel's 32768."""
NPROC_KERNEL = (5, 14)
"""Since then RLIMIT_NPROC counts by user namespace, of which each rootless session has its own; before it
counted all of a user's."""
NO_CONTROLLER = "the kernel has no cgroup controller for that"
FIRST_VERSION = "cgroups v1 obey root only"
UNDELEGATED = "systemd does not delegate its cgroup controller to you"
CURES = {
    NO_CONTROLLER: (Hint(shell="cat /proc/cgroups /proc/cmdline"),),
    FIRST_VERSION: (
        Hint(
            shell="sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&systemd.unified_cgroup_hierarchy=1 /' "
            "/etc/default/grub && sudo update-grub",
            note="then restart the machine",
        ),
    ),
    UNDELEGATED: (
        Hint(
            shell="sudo mkdir -p /etc/systemd/system/user@.service.d && "
            r"printf '[Service]\nDelegate=cpu cpuset io memory pids\n' | "
            "sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload",
            note="then log in again",
        ),
    ),
}
"""Why a limit is none, and the command that changes it (systemd.resource-control(5))."""
CONTROLLERS = {"memory": "memory", "cpus": "cpu", "pids": "pids"}


def memory(text: str) -> int:
    """Read an amount of memory in bytes: "512m", "2g", "1.5GiB" or a number; 0 means no limit.

    Raises ValueError with one line for anything else, and for less than LEAST_MEMORY.
    """
    found = SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a valid memory size (512m, 2g)")
    size = float(found[1]) * UNITS.get((found[2] or "").lower(), 1)
    if size and not LEAST_MEMORY <= size < MOST:
        raise ValueError(
            f"{text!r} is not a memory size a session can run in; use {LEAST_MEMORY >> 20}m or more"
        )
    return int(size)


def shm_size(text: str) -> int:
    """Read the size of /dev/shm in bytes: "64m", "2g". Raises ValueError with one line for anything else."""
    found = SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * UNITS.get((found[2] or "").lower(), 1)) if found else 0
    if not 1 << 16 <= size < MOST:
        raise ValueError(f"{text!r} is not a valid size of /dev/shm (64m, 2g)")
    return size


def written(size: int) -> str:
    """Write an amount of memory as `memory` reads it: 512m, 2g; in bytes where no unit divides it."""
    for unit, factor in sorted(UNITS.items(), key=lambda item: -item[1]):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def cpus(text: str) -> float:
    """Read a number of processors: "2", "1.5"; 0.0 means no limit. Raises ValueError with one line."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number == 0 or 0.01 <= number <= 10_000):
        raise ValueError(f"{text!r} is not a valid number of processors (2, 1.5)")
    return number


def pids(text: str) -> int:
    """Read a number of processes and threads; 0 (and Podman's -1) means no limit.

    Raises ValueError with one line.
    """
    if not re.fullmatch(r"-1|\d{1,9}", text.strip()):
        raise ValueError(f"{text!r} is not a valid number of processes (4096; 0 for no limit)")
    number = max(0, int(text))
    if number and number < LEAST_PIDS:
        raise ValueError(f"{text!r} is too few processes for a session; use {LEAST_PIDS} or more")
    return number


READERS: Mapping[str, Callable[[str], int | float]] = MappingProxyType(
    {"memory": memory, "cpus": cpus, "pids": pids, "shm_size": shm_size}
)


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """The kernel that containers run on.

    `cgroups` is "v1" or "v2", `controllers` are those that the containers' owner may use, `release` is the
    kernel's.
    """

    cgroups: str
    controllers: frozenset[str]
    release: str

    @property
    def counts_by_namespace(self) -> bool:
        """Whether RLIMIT_NPROC can stand in for a pids controller."""
        return tuple(int(part) for part in re.findall(r"\d+", self.release)[:2]) >= NPROC_KERNEL


def unenforced(kernel: Kernel, *, rootful: bool) -> dict[str, str]:
    """Map the limits that a container would not have to the reason."""
    if rootful:
        why = NO_CONTROLLER
    elif kernel.cgroups == "v1":
        why = FIRST_VERSION
    else:
        why = UNDELEGATED
    lacking = {name: why for name, controller in CONTROLLERS.items() if controller not in kernel.controllers}
    if not rootful and kernel.counts_by_namespace:
        lacking.pop("pids", None)
    return lacking
