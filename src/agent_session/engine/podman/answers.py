"""The answers of Podman's API, translated: containers, refusals, and the reports of long tasks."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent_session.engine.container import Container
from agent_session.engine.podman import troubleshooting
from agent_session.engine.protocol import DiskUse, EngineInfo
from agent_session.errors import AgentSessionError, BuildFailed, ConflictError, Hint, NotFoundError


def container(item: Mapping[str, Any]) -> Container:
    """Read one item of a listing, the API's or the podman command's."""
    started, ended = item.get("StartedAt") or 0, item.get("ExitedAt") or 0
    running = item["State"] in {"running", "paused", "stopping"}
    return Container(
        name=item["Names"][0],
        id=item["Id"],
        image=item["Image"],
        running=running,
        created=_moment(item["Created"]),
        started=datetime.fromtimestamp(started, UTC) if started > 0 else None,
        # One that the machine's end took with it keeps the end of its life before.
        ended=datetime.fromtimestamp(ended, UTC) if not running and ended >= started > 0 else None,
        pid=(item.get("Pid") or None) if running else None,
        labels=item.get("Labels") or {},
        networks=tuple(item.get("Networks") or ()),
        ports={
            port["container_port"]: port["host_port"]
            for port in item.get("Ports") or ()
            if port["host_ip"] == "127.0.0.1" and port["protocol"] == "tcp"
        },
    )


def _moment(written: str | int) -> datetime:
    """The API writes RFC 3339 with nanoseconds, the podman command seconds since 1970."""
    if isinstance(written, int):
        return datetime.fromtimestamp(written, UTC)
    return datetime.fromisoformat(re.sub(r"\.\d+", "", written)).astimezone(UTC)


def engine_info(info: Mapping[str, Any], *, local: bool) -> EngineInfo:
    """Read the answer to /info. Podman 5 names the network program elsewhere than Podman 4."""
    host, store = info["host"], info["store"]
    helpers = [name for name in ("pasta", "slirp4netns") if (host.get(name) or {}).get("executable")]
    maps = (host.get("idMappings") or {}).get("uidmap") or [{"size": 1 << 32}]
    return EngineInfo(
        version=info.get("version", {}).get("Version", "?"),
        driver=store.get("graphDriverName", "?"),
        storage=Path(store["graphRoot"]) if local else None,
        runtime=(host.get("ociRuntime") or {}).get("name", "?"),
        cgroups=host.get("cgroupVersion", "?"),
        network=host.get("rootlessNetworkCmd") or (helpers[0] if helpers else ""),
        ids=sum(int(part["size"]) for part in maps),
    )


def disk_use(said: Mapping[str, Any]) -> DiskUse:
    """Read the answer to /system/df."""
    return DiskUse(
        images={
            f"{one['Repository']}:{one['Tag']}": int(one["Size"])
            for one in said.get("Images") or ()
            if one.get("Tag") not in {None, "", "<none>"}
        },
        volumes={one["VolumeName"]: int(one["Size"]) for one in said.get("Volumes") or ()},
        containers={one["Names"]: int(one.get("RWSize") or 0) for one in said.get("Containers") or ()},
    )


def check_command(image: Mapping[str, Any]) -> None:
    """Raise BuildFailed for an inspected image whose containers would have no command to run."""
    configuration = image.get("Config") or {}
    if not configuration.get("Cmd") and not configuration.get("Entrypoint"):
        raise BuildFailed("it has no command to run: neither it nor its base image has a CMD or ENTRYPOINT")


def refusal(status: int, text: str, doing: str, *, absent_is_fine: bool) -> None:
    """Raise the error for a status of 400 or more, unless the object is absent and may be."""
    try:
        message = str(json.loads(text).get("message", text))
    except (ValueError, AttributeError):
        message = text
    lower = message.lower()
    if status == 404 or "no such volume" in lower:
        if absent_is_fine:
            return
        raise NotFoundError(f"{doing}: {message}", hint=Hint("ls"))
    error: AgentSessionError = troubleshooting.explain(message, doing)
    if "already in use" in lower or status == 409:
        error = ConflictError(f"{doing}: {message}", hint=Hint(shell="podman ps -a"))
    raise error


def failure(message: str, doing: str) -> AgentSessionError:
    """The error for a podman command that failed with these words."""
    if "no such container" in message.lower():
        return NotFoundError(f"{doing}: {message.strip()}", hint=Hint("ls"))
    return troubleshooting.explain(message, doing)


def root_cause(error: BaseException) -> str:
    """The words of the innermost system error: the bindings wrap it four deep."""
    words = str(error)
    inner: BaseException | None = error
    while inner:
        if isinstance(inner, OSError) and inner.strerror:
            words = inner.strerror
        inner = inner.__cause__ or inner.__context__
    return words


def reports(answer: Any) -> Iterator[dict[str, Any]]:
    """The JSON objects of a streamed answer; a connection that breaks ends in an error report."""
    try:
        for line in answer.iter_lines():
            if line.strip():
                yield json.loads(line)
    except (OSError, ValueError) as error:
        yield {"error": f"Podman's answer broke off: {error}"}
