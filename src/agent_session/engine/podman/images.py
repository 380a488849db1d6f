"""Podman's images, but for their building (podman_builds)."""

import re
from collections.abc import Iterator

from agent_session.engine.podman import answers, troubleshooting
from agent_session.engine.podman.connection import Connection
from agent_session.errors import ConflictError, EngineRefused

HALF_IMAGE = re.compile(r'locating item named "manifest" for image with ID "([0-9a-f]{64})"')


def references(podman: Connection) -> set[str]:
    """The references of all."""
    try:
        answer = podman.call("GET", "/images/json", "listing images")
    except EngineRefused as error:
        if not (half := HALF_IMAGE.search(error.message)):
            raise
        # A build that was killed as it stored one: until that is gone, Podman (4.3.1) lists none.
        podman.call("DELETE", f"/images/{half[1]}", "removing half an image", params={"force": True})
        answer = podman.call("GET", "/images/json", "listing images")
    return {name for image in answer.json() for name in image.get("RepoTags") or image.get("Names") or ()}


def pull(podman: Connection, reference: str) -> Iterator[str]:
    """Fetch one, telling progress."""
    params = {"reference": reference}
    answer = podman.call("POST", "/images/pull", f"fetching {reference}", params=params, stream=True)
    for report in answers.reports(answer):
        if "error" in report:
            raise troubleshooting.explain(report["error"], f"fetching {reference}")
        yield from report.get("stream", "").splitlines()


def remove(podman: Connection, reference: str) -> None:
    """Remove one that nobody uses."""
    try:
        podman.call("DELETE", f"/images/{reference}", f"removing {reference}", absent_is_fine=True)
    except ConflictError:
        return
    except EngineRefused as error:
        if "read-only" not in error.message:  # of an additional image store
            raise
