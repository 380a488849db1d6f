"""Files of Podman's containers on this machine: a LocalFiles."""

from pathlib import Path

from agent_session.engine.podman import container_root, volumes
from agent_session.engine.podman.connection import Connection


class PodmanFiles:
    """The files of a Podman that runs on this machine."""

    def __init__(self, podman: Connection) -> None:
        self._podman = podman

    def volume_path(self, name: str) -> Path | None:
        """The directory of a named volume."""
        return volumes.path(self._podman, name)

    def open_root(self, container_id: str, pid: int) -> int | None:
        """Open a running container's root directory; no service is started for that."""
        return container_root.open_root(container_id, pid)
