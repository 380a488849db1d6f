"""What Podman's listings say, in our words: the API's and the podman command's."""

from datetime import UTC, datetime

import pytest

from agent_session.engine.podman import answers

COMMANDS = {"Created": 1_790_000_000}
APIS = {"Created": "2026-09-21T14:13:20.123456789Z"}
NEVER = -62_135_596_800


@pytest.mark.parametrize("way", [COMMANDS, APIS], ids=["command", "api"])
@pytest.mark.parametrize(
    ("state", "started", "exited", "ended"),
    [
        ("exited", 1_790_000_100, 1_790_000_200, 1_790_000_200),
        ("exited", 1_790_000_100, 1_790_000_100, 1_790_000_100),
        ("running", 1_790_000_100, NEVER, None),
        ("running", 1_790_000_300, 1_790_000_200, None),
        ("exited", 1_790_000_300, 1_790_000_200, None),  # the machine's end, which nobody saw
        ("exited", 1_790_000_300, NEVER, None),
        ("created", NEVER, NEVER, None),
    ],
)
def test_an_end_is_that_of_the_last_life(
    way: dict[str, object], state: str, started: int, exited: int, ended: int | None
) -> None:
    item = {
        "Names": ["agent_web"],
        "Id": "1",
        "Image": "x",
        "State": state,
        "StartedAt": started,
        "ExitedAt": exited,
    }
    found = answers.container(item | way)
    assert found.ended == (datetime.fromtimestamp(ended, UTC) if ended else None)
