"""A port of a container that this machine's loopback publishes, written [HOST:]PORT as for Podman."""

import re
from typing import NamedTuple

WRITTEN = re.compile(r"(?:(\d{1,5}):)?(\d{1,5})")
NONE = "none"
"""In place of a port: nothing is published."""


class Published(NamedTuple):
    """A TCP port of this machine's loopback, and the container's port that it leads to."""

    host: int
    inside: int


def read(text: str) -> str:
    """Read HOST:PORT, or PORT for the same number on both sides; written HOST:PORT. "none" stays.

    Raises ValueError with one line for anything else.
    """
    found = WRITTEN.fullmatch(text.strip())
    if text.strip() == NONE:
        return NONE
    if not found or not all(0 < int(part) < 65536 for part in found.groups() if part):
        raise ValueError(f"{text!r} is not a valid port to publish (3000, 8080:3000)")
    return f"{int(found[1] or found[2])}:{int(found[2])}"


def parse(written: str) -> Published:
    """Read what `read` wrote."""
    host, inside = written.split(":")
    return Published(int(host), int(inside))
