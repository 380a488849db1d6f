"""Times in texts of others: what is read can be shown everywhere, and is written in one form."""

import time
from datetime import UTC, datetime

import pytest

from agent_session.host import clock

EXTREME = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-12:00",
    "9999-01-02T00:00:00+23:59",
    "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "2026-11-21",
    "2026-11-21T08:00:00",
    "2026-13-01T00:00:00Z",
    "2026-11-21T08:00:00+99:99",
    "",
    "2" * 100_000,
    None,
    5,
    1e308,
    ["2026-11-21T08:00:00Z"],
]


@pytest.mark.parametrize("text", EXTREME, ids=lambda text: repr(text)[:30])
def test_a_time_that_no_session_has_seen_is_none(text: object) -> None:
    assert clock.parse(text) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Vienna"])
@pytest.mark.parametrize(
    "text", ["1970-01-01T12:00:00+12:00", "9998-12-31T11:59:59-12:00", "2026-11-21T08:00:00.123Z"]
)
def test_a_time_that_is_read_can_be_shown_in_every_zone(
    monkeypatch: pytest.MonkeyPatch, text: str, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    found = clock.parse(text)
    assert found is not None
    assert found.astimezone().isoformat()
    assert clock.parse(clock.utc(found)) == found
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("seconds", [-1, -(2.0**62), 2.0**62, 253402300800, float("nan"), float("inf")])
def test_a_files_time_that_no_session_has_seen_is_none(seconds: float) -> None:
    assert clock.from_seconds(seconds) is None


def test_times_are_written_in_one_form() -> None:
    assert clock.utc(datetime(2026, 11, 21, 8, tzinfo=UTC)) == "2026-11-21T08:00:00.000Z"
