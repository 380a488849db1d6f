"""Times in texts: read so that nothing that is done with one later can fail, and written in one form everywhere."""

from datetime import UTC, datetime

LONGEST = 40
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Every time of these years can be shown in every time zone; of others some cannot, and none is a session's."""


def parse(text: object) -> datetime | None:
    """The time in an ISO 8601 text with a time zone, in UTC; None for anything else, and for a year that no session has seen."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    try:
        said = datetime.fromisoformat(text)
        found = said.astimezone(UTC) if said.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return found if found and FIRST_YEAR <= found.year <= LAST_YEAR else None


def from_seconds(seconds: float) -> datetime | None:
    """The time so many seconds after 1970, as a file system tells it; None for a year that no session has seen."""
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None


def utc(moment: datetime) -> str:
    """A time as scripts get it: 2026-11-21T08:00:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
