"""Podman's networks.

CNI, which Podman 4 may use instead of netavark, resolves names only with a plugin that is rarely installed.
"""

import json
from collections.abc import Mapping
from typing import Any

from agent_session.engine.podman.connection import Connection
from agent_session.errors import ConflictError, EngineRefused, Hint


def look(podman: Connection, name: str) -> dict[str, Any] | None:
    """Inspect the network of that name; None where there is none."""
    return podman.look(f"/networks/{name}/json", f"looking for the network {name}")


def create(podman: Connection, name: str, labels: Mapping[str, str]) -> bool:
    """Make a network unless there is one; False where containers do not find each other by name on it.

    A new network of that kind is removed again.
    """
    network = look(podman, name)
    made = network is None
    if made:
        try:
            body = {"name": name, "dns_enabled": True, "labels": dict(labels)}
            podman.call("POST", "/networks/create", f"creating the network {name}", json.dumps(body))
        except ConflictError:  # another process was quicker
            made = False
        except EngineRefused:
            return False
        network = look(podman, name)
    if network and network.get("dns_enabled"):
        return True
    if made:
        remove(podman, name)
    return False


def remove(podman: Connection, name: str) -> None:
    """Remove a network. Raises ConflictError while a container has it."""
    try:
        podman.call("DELETE", f"/networks/{name}", f"removing the network {name}", absent_is_fine=True)
    except EngineRefused as error:
        if "being used" not in error.message:
            raise
        raise ConflictError(error.message, hint=Hint(shell="podman ps -a")) from None
