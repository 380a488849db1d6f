"""The list of Podman's images, of which one may go while they are listed."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.image_store import PodmanImages
from agent_session.errors import EngineRefused

GONE = (
    f"listing images: the image has been removed\n  Podman said: "
    f'locating image with ID "{"a" * 64}": image not known'
)
HALF = f'listing images: locating item named "manifest" for image with ID "{"b" * 64}"'


class Podman:
    """A connection that refuses as often as it is told, and then answers."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.asked: list[str] = []

    def call(self, method: str, path: str, _doing: str, **_: Any) -> Any:
        self.asked.append(f"{method} {path}")
        if method == "GET" and self.refusals:
            raise EngineRefused(self.refusals.pop(0))
        return SimpleNamespace(json=lambda: [{"RepoTags": ["localhost/one:1"]}, {"RepoTags": None}])


def test_an_image_that_goes_while_the_images_are_listed_hides_no_other() -> None:
    podman = Podman(GONE, GONE)
    assert PodmanImages(cast("Connection", podman)).references() == {"localhost/one:1"}


def test_half_an_image_is_removed_and_hides_no_other() -> None:
    podman = Podman(HALF)
    assert PodmanImages(cast("Connection", podman)).references() == {"localhost/one:1"}
    assert f"DELETE /images/{'b' * 64}" in podman.asked


def test_what_is_wrong_each_time_or_otherwise_is_told() -> None:
    for refusals in ([GONE] * 9, ["listing images: it is broken"]):
        with pytest.raises(EngineRefused, match="listing images"):
            PodmanImages(cast("Connection", Podman(*refusals))).references()
