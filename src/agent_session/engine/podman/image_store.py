"""Podman's images: an ImageStore. builds.py builds them and removes what killed builds leave."""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent_session.engine.image_store import BuildSpec
from agent_session.engine.podman import answers, troubleshooting
from agent_session.engine.podman.builds import Builds, preparing_name
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.containers import remove
from agent_session.engine.podman.specification import KEEP_ID
from agent_session.errors import ConflictError, EngineRefused
from agent_session.host.signals import uninterrupted

HALF_IMAGE = re.compile(r'locating item named "manifest" for image with ID "([0-9a-f]{64})"')
GONE = "image not known"
ATTEMPTS = 4


class PodmanImages:
    """The images of one Podman; `rootful` is asked of the engine when an image is prepared."""

    def __init__(self, podman: Connection) -> None:
        self._podman = podman
        self._builds = Builds(podman)

    @property
    def builds_now(self) -> bool:
        """Whether a build runs, or was interrupted and is not cleaned up yet."""
        return self._builds.going_on

    def close(self) -> None:
        """Clean up after an interrupted build."""
        self._builds.close()

    def exists(self, reference: str) -> bool:
        """Whether the image is in the store."""
        path = f"/images/{reference}/exists"
        return self._podman.call("GET", path, "looking for an image", absent_is_fine=True) is not None

    def references(self) -> set[str]:
        """All references of local images."""
        images = self._listed().json()
        return {name for image in images for name in image.get("RepoTags") or image.get("Names") or ()}

    def _listed(self) -> Any:
        """List the images, again where Podman fails because one is half stored or removed meanwhile."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._podman.call("GET", "/images/json", "listing images")
            except EngineRefused as error:
                if half := HALF_IMAGE.search(error.message):  # a build was killed while it stored this image
                    path = f"/images/{half[1]}"
                    self._podman.call("DELETE", path, "removing half an image", params={"force": True})
                elif GONE not in error.message:
                    raise
        return self._podman.call("GET", "/images/json", "listing images")

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image, yielding progress."""
        doing, params = f"fetching {reference}", {"reference": reference}
        answer = self._podman.call("POST", "/images/pull", doing, params=params, stream=True)
        for report in answers.reports(answer):
            if "error" in report:
                raise troubleshooting.explain(report["error"], doing)
            yield from report.get("stream", "").splitlines()

    def import_archive(self, archive: Path, reference: str) -> None:
        """Make an image of a tar archive."""
        params = {"reference": reference}
        with archive.open("rb") as data:
            self._podman.call("POST", "/images/import", f"importing {archive}", data, params=params)

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image."""
        return self._builds.build(spec)

    def prepare(self, reference: str) -> None:
        """Map the image's layers to the session's user ids, which takes seconds for a large image.

        Without that a first start would seem to hang.
        """
        # 4.3.1 fails with a nil pointer where a killed build left a part of the image's history: then the
        # command stays unchecked.
        with contextlib.suppress(EngineRefused):
            answer = self._podman.call("GET", f"/images/{reference}/json", f"looking at {reference}").json()
            answers.check_command(answer)
        if not self._podman.rootful:
            name = preparing_name()
            spec = {"name": name, "image": reference, "userns": KEEP_ID, "user": "1000:1000", "remove": True}
            try:
                self._podman.call("POST", "/containers/create", f"preparing {reference}", json.dumps(spec))
            finally:
                with uninterrupted():
                    remove(self._podman, name)

    def remove(self, reference: str) -> None:
        """Remove an unused image."""
        try:
            self._podman.call("DELETE", f"/images/{reference}", f"removing {reference}", absent_is_fine=True)
        except ConflictError:
            return
        except EngineRefused as error:
            if "read-only" not in error.message:  # of an additional image store
                raise

    def stale_builds(self) -> list[str]:
        """Describe what killed builds have left."""
        return self._builds.stale()

    def remove_stale_builds(self, leftovers: Sequence[str]) -> None:
        """Remove some of what `stale_builds` described."""
        self._builds.remove_stale(leftovers)
