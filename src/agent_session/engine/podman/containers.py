"""Podman's containers: listed, created, renamed, started, stopped and removed."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from agent_session.engine.container import Container, ContainerSpec
from agent_session.engine.errors import MountMoved, NameTaken
from agent_session.engine.limits import Kernel
from agent_session.engine.podman import answers, mount_check, volumes
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.specification import specification
from agent_session.errors import ConflictError, EngineRefused, Hint
from agent_session.host.signals import uninterrupted

OBEYED_ANNOTATIONS = ("run.oci.", "org.systemd.property.")
"""What a runtime does something for: crun takes another filter of system calls from one, or all groups."""


def labelled(podman: Connection, label: str) -> list[Container]:
    """List all containers with the label."""
    if podman.asks_by_command:
        items = [item for item in podman.listing() if not label or label in (item["Labels"] or {})]
        return [answers.container(item) for item in items]
    return _listed(podman, {"label": [label]} if label else {})


def named(podman: Connection, name: str) -> Container | None:
    """Find the container of that name."""
    if podman.asks_by_command:
        containers = [answers.container(item) for item in podman.listing() if name in item["Names"]]
    else:
        containers = _listed(podman, {"name": [f"^{re.escape(name)}$"]})
    return containers[0] if containers else None


def create(podman: Connection, spec: ContainerSpec, *, kernel: Kernel) -> None:
    """Make a container and its named volumes.

    The new volumes are removed again if the container cannot be made. Raises NameTaken if the name is.
    """
    made: list[str] = []
    try:
        for mount in spec.mounts:
            if mount.kind == "volume" and volumes.create(podman, mount.source, spec.labels):
                made.append(mount.source)
        body = json.dumps(
            specification(spec, rootful=podman.rootful, kernel=kernel, network=podman.usual_network())
        )
        podman.call("POST", "/containers/create", f"creating {spec.name}", body)
    except BaseException as error:
        for volume in made:
            volumes.remove(podman, volume)
        if isinstance(error, ConflictError):
            raise NameTaken(spec.labels.get("agent-session.name", spec.name), spec.name) from None
        raise


def rename(podman: Connection, name: str, new: str) -> None:
    """Rename a container."""
    try:
        podman.call("POST", f"/containers/{name}/rename", f"renaming {name}", params={"name": new})
    except ConflictError:
        raise NameTaken(new, new) from None


def start(podman: Connection, name: str) -> None:
    """Start a container, unless its mounts are not those it was made with: then MountMoved is raised.

    The container is left stopped then.

    On another machine its mounts cannot be looked at.
    """
    if podman.is_local:
        _prepare(podman, name)
    podman.call("POST", f"/containers/{name}/start", f"starting {name}")


def _prepare(podman: Connection, name: str) -> None:
    """Let the runtime mount everything, look at that, and have nothing run yet; MountMoved."""
    # A start that was killed leaves a container prepared, with what was mounted then: that is done again.
    if _mount(podman, name):
        prepare_new(podman, name)


def prepare_new(podman: Connection, name: str) -> None:
    """Let the runtime mount everything in a container that was just made; nothing runs in it yet.

    Raises MountMoved where a mount is not what was planned; the container is left stopped then.
    """
    if moved := _mount(podman, name):
        raise MountMoved(moved)


def _mount(podman: Connection, name: str) -> str:
    """Let the runtime mount everything; return a source that is not what was planned, "" where all are.

    The container is stopped again where one is not.
    """
    try:
        podman.call("POST", f"/containers/{name}/init", f"starting {name}")
    except EngineRefused as error:
        container = podman.look(f"/containers/{name}/json", f"looking at {name}")
        if container and (moved := mount_check.led_elsewhere(_binds(container))):
            raise MountMoved(os.fsdecode(moved[0].source)) from error
        raise
    container = podman.call("GET", f"/containers/{name}/json", f"looking at {name}").json()
    if container["State"]["Status"] != "initialized":
        return ""  # it runs already
    whole = False
    try:
        moved = mount_check.moved(_binds(container), container["State"]["Pid"])
        added = mount_check.added(_targets(container), container["State"]["Pid"])
        _refuse_what_nobody_asked_for("mounts or devices", map(os.fsdecode, added))
        annotations = container["Config"].get("Annotations") or {}
        _refuse_what_nobody_asked_for(
            "annotations", (name for name in annotations if name.startswith(OBEYED_ANNOTATIONS))
        )
        whole = not moved
    except OSError as error:
        doing = "the container's mounts cannot be looked at"
        raise EngineRefused(f"{doing}: {error}", hint=Hint("doctor")) from error
    finally:
        if not whole:
            with uninterrupted():
                stop(podman, name)
    return os.fsdecode(moved[0].source) if moved else ""


def _refuse_what_nobody_asked_for(kind: str, items: Iterable[str]) -> None:
    if names := ", ".join(items):
        raise EngineRefused(
            f"containers.conf gives every container {kind} that no session may have: {names}",
            hint=Hint("doctor", note="it names the file"),
        )


def _binds(container: Mapping[str, Any]) -> list[mount_check.Bind]:
    return [
        mount_check.Bind(source=os.fsencode(mount["Source"]), target=os.fsencode(mount["Destination"]))
        for mount in container["Mounts"]
        if mount["Type"] == "bind"
    ]


def _targets(container: Mapping[str, Any]) -> list[bytes]:
    """Where a container was asked to have mounts."""
    tmpfs = container["HostConfig"].get("Tmpfs") or {}
    points = [*(mount["Destination"] for mount in container["Mounts"]), *tmpfs]
    return [os.fsencode(point) for point in points]


def stop(podman: Connection, name: str) -> None:
    """Stop a container. As a process's first change this is a podman command, which needs no service."""
    if podman.asks_by_command:
        podman.run_command(["stop", name], f"stopping {name}")
    else:
        podman.call("POST", f"/containers/{name}/stop", f"stopping {name}")


def remove(podman: Connection, name: str) -> None:
    """Remove a container; its named volumes stay."""
    params = {"force": True, "timeout": 0}
    podman.call("DELETE", f"/containers/{name}", f"removing {name}", params=params, absent_is_fine=True)


def _listed(podman: Connection, filters: Mapping[str, list[str]]) -> list[Container]:
    params = {"all": True, "filters": json.dumps(filters)}
    answer = podman.call("GET", "/containers/json", "listing containers", params=params)
    return [answers.container(item) for item in answer.json()]
