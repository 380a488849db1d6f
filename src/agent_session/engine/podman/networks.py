"""Podman's networks. CNI, which Podman 4 may have instead of netavark, has names only with a plugin that is rarely there."""

import json
from collections.abc import Mapping
from typing import Any

from agent_session.engine.podman.connection import Connection
from agent_session.errors import ConflictError, EngineRefused, Hint


def look(podman: Connection, name: str) -> dict[str, Any] | None:
    """What there is of that name."""
    return podman.look(f"/networks/{name}/json", f"looking for the network {name}")


def create(podman: Connection, name: str, labels: Mapping[str, str]) -> bool:
    """Make one, unless it is there; False where containers would not find each other by name on it, then it is gone again."""
    found = look(podman, name)
    made = found is None
    if made:
        try:
            body = {"name": name, "dns_enabled": True, "labels": dict(labels)}
            podman.call("POST", "/networks/create", f"creating the network {name}", json.dumps(body))
        except ConflictError:  # somebody else was quicker
            made = False
        except EngineRefused:
            return False
        found = look(podman, name)
    if found and found.get("dns_enabled"):
        return True
    if made:
        remove(podman, name)
    return False


def remove(podman: Connection, name: str) -> None:
    """Remove it; ConflictError while a container has it."""
    try:
        podman.call("DELETE", f"/networks/{name}", f"removing the network {name}", absent_is_fine=True)
    except EngineRefused as error:
        if "being used" not in error.message:
            raise
        raise ConflictError(error.message, hint=Hint(shell="podman ps -a")) from None
