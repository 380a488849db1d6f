"""Files of containers on this machine: a Protocol, which an engine on another machine does not have."""

from pathlib import Path
from typing import Protocol


class LocalFiles(Protocol):
    """Files of containers that this process can read by itself, without a round trip to the engine."""

    def volume_path(self, name: str) -> Path | None:
        """The directory of a named volume; None where there is no volume, or no permission to read it."""

    def open_root(self, container_id: str, pid: int) -> int | None:
        """Open the root directory of a running container (its id and pid); the caller closes the descriptor.

        None for a container that has ended, or without permission. Below it the agent may change anything:
        see host/nofollow.
        """
