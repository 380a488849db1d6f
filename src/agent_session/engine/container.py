"""A container: what an engine is told to make, and what it says of one that exists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from agent_session.engine import limits
from agent_session.engine.published import Published


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mount of a container."""

    kind: Literal["bind", "volume", "tmpfs"]
    target: PurePosixPath
    source: str = ""
    """A host path (bind), the name of a volume (volume) or "" (tmpfs)."""
    read_only: bool = False
    """A read-only tmpfs can still be written by the container's root."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A container to create. Its command is the image's own."""

    name: str
    image: str
    hostname: str
    workdir: PurePosixPath
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    stop_timeout: int = 10
    """Seconds between the request to end and the kill."""
    network: str = ""
    """A network made with `create_network`; "" is the engine's default one, on which no container finds this
    one."""
    alias: str = ""
    """A second name of the container on that network."""
    ports: tuple[int, ...] = ()
    """TCP ports that this machine's loopback publishes, under free port numbers."""
    published: tuple[Published, ...] = ()
    """Ports that this machine's loopback publishes under numbers that were chosen."""
    offline: bool = False
    """Whether it has no network at all, but its own loopback."""
    memory: int = 0
    """Bytes. For this and the next two, 0 means no limit; a limit that the engine cannot enforce is left
    out."""
    cpus: float = 0
    pids: int = 0
    """Processes and threads."""
    shm_size: int = limits.SHM
    """Bytes of /dev/shm."""
    user_namespaces: bool = False
    """Whether processes may have namespaces of their own, and mount there. Without it, no mount of this
    specification can be taken away."""
    setuid: bool = False
    """Whether processes may set the set-user-id and set-group-id bits of files."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container that exists. All times are aware."""

    name: str
    id: str
    image: str
    running: bool
    created: datetime
    started: datetime | None = None
    """None for a container that never ran."""
    ended: datetime | None = None
    """None for a running container, and where the engine did not see the end."""
    pid: int | None = None
    """The first process, as the engine's machine numbers it. None for a stopped container."""
    labels: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    """The loopback port of each published port; it stays the same after a restart."""
