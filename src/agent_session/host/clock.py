"""Times in texts: read without errors for any later use, and written in one form everywhere."""

from datetime import UTC, datetime

LONGEST = 40
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Every time of these years can be shown in every time zone; some of other years cannot."""


def parse(text: object) -> datetime | None:
    """Read the time in an ISO 8601 text with a time zone, in UTC; None for anything else.

    None also for a year in which no session can have been.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    try:
        local = datetime.fromisoformat(text)
        moment = local.astimezone(UTC) if local.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return moment if moment and FIRST_YEAR <= moment.year <= LAST_YEAR else None


def from_seconds(seconds: float) -> datetime | None:
    """Convert seconds since 1970, as file systems count them, to a time in UTC.

    None for a year in which no session can have been.
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def utc(moment: datetime) -> str:
    """A time as scripts get it: 2026-11-21T08:00:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def aware(moment: datetime) -> datetime:
    """A time in UTC; one that was written without a zone is in it already."""
    local = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return local.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of all years
        return local.replace(tzinfo=UTC)
