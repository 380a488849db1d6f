"""The images of a container engine: a Protocol and its data. Only images/ and doctor use it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """An image to build. `context` maps paths in the build context to bytes, or to a file on the host."""

    tag: str
    context: Mapping[str, bytes | Path]
    arguments: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False


class ImageStore(Protocol):
    """The local images. A reference is NAME:TAG. Methods raise as those of Engine do."""

    def exists(self, reference: str) -> bool:
        """Whether the image is in the store. No registry is asked."""

    def references(self) -> set[str]:
        """All references of local images. One round trip."""

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image from its registry, yielding progress line by line."""

    def import_archive(self, archive: Path, reference: str) -> None:
        """Make an image of a root file system in a tar archive."""

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image, yielding the output line by line. Raises BuildFailed with the last lines."""

    def prepare(self, reference: str) -> None:
        """Do the work now that the first container of an image would wait for.

        Raises BuildFailed for an image without a command.
        """

    def remove(self, reference: str) -> None:
        """Remove an unused image. Nothing happens where the image is absent or in use."""

    def stale_builds(self) -> list[str]:
        """Describe what killed builds have left, one line each.

        Running builds of other processes may be among it: ask only while no other process can build.
        """

    def remove_stale_builds(self, leftovers: Sequence[str]) -> None:
        """Remove some of what `stale_builds` described."""
