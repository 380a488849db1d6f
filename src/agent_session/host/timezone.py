"""The host's time zone by name."""

from collections.abc import Mapping
from pathlib import Path


def name(environment: Mapping[str, str]) -> str:
    """Return TZ, the target of /etc/localtime, the content of /etc/timezone, or UTC."""
    if environment.get("TZ"):
        return environment["TZ"]
    target = str(Path("/etc/localtime").resolve())
    if "/zoneinfo/" in target:
        return target.rpartition("/zoneinfo/")[2]
    try:
        return Path("/etc/timezone").read_text(encoding="utf-8").strip() or "UTC"
    except OSError:
        return "UTC"
