"""Times as text for programs."""

from datetime import UTC, datetime


def utc(moment: datetime) -> str:
    """An aware time as all JSON shows it: 2026-11-21T08:00:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
