"""Podman's named volumes."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from agent_session.engine.podman import troubleshooting
from agent_session.engine.podman.connection import Connection
from agent_session.errors import EngineRefused

LEAST_BYTES = 4_000_000
LEAST_FILES = 64
"""The free space that a file system needs for a new volume."""


def labelled(podman: Connection, label: str) -> Mapping[str, Mapping[str, str]]:
    """Map all volumes with the label to their labels."""
    params = {"filters": json.dumps({"label": [label]} if label else {})}
    answer = podman.call("GET", "/volumes/json", "listing volumes", params=params)
    return {volume["Name"]: volume.get("Labels") or {} for volume in answer.json() or ()}


def labels(podman: Connection, name: str) -> Mapping[str, str] | None:
    """The labels of a volume."""
    volume = podman.look(f"/volumes/{name}/json", f"reading the volume {name}")
    return None if volume is None else volume.get("Labels") or {}


def path(podman: Connection, name: str) -> Path | None:
    """The directory of a volume, if this process may read it."""
    volume = podman.look(f"/volumes/{name}/json", f"reading the volume {name}")
    place = Path(volume.get("Mountpoint") or "/nonexistent") if volume else None
    return place if place and os.access(place, os.R_OK | os.X_OK) else None


def create(podman: Connection, name: str, labels_: Mapping[str, str]) -> bool:
    """Make a volume; False where there is one of that name."""
    if labels(podman, name) is not None:
        return False
    doing = f"creating the volume {name}"
    body = json.dumps({"Name": name, "Label": dict(labels_)})
    made = podman.call("POST", "/volumes/create", doing, body)
    try:
        _check_room(podman, made.json().get("Mountpoint") or "", doing)
    except EngineRefused:
        remove(podman, name)
        raise
    return True


def remove(podman: Connection, name: str) -> None:
    """Remove a volume."""
    podman.call("DELETE", f"/volumes/{name}", f"removing the volume {name}", absent_is_fine=True)


def _check_room(podman: Connection, path: str, doing: str) -> None:
    """Raise EngineRefused where a new volume has too little space.

    Podman (4.3.1) may hang for ever where the image's content does not fit into the volume.
    """
    place = podman.place(path) if path else None
    with contextlib.suppress(OSError):
        room = os.statvfs(place) if place else None
        if room and (
            room.f_bavail * room.f_frsize < LEAST_BYTES or (room.f_files > 0 and room.f_favail < LEAST_FILES)
        ):
            raise troubleshooting.explain("no space left on device", doing)
