"""Waiting for a state: as long as a slow machine needs, and nothing in these tests sleeps for a guess.

A test fails for what is wrong, not for what is late; how fast something is, `make bench` says.
"""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

PATIENCE = float(os.environ.get("AGENT_SESSION_TEST_PATIENCE", "1"))
SECONDS = 90 * PATIENCE
"""How long a state is waited for."""
TIMEOUT = f"{SECONDS:g}"
"""The same, for --timeout."""
COMMAND_SECONDS = 300 * PATIENCE
"""How long a command may take, which may build an image or start a real agent."""

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    what: str,
    *,
    seconds: float = SECONDS,
    told: Callable[[], object] | None = None,
) -> T:
    """Return the first true value of `condition`; fail when the time is up,
    saying `what` was awaited and what `told` says of it.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if value := condition():
            return value
        now = time.monotonic()
        if now > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}" + (f"\n{told()}" if told else ""))
        time.sleep(
            max(0.03, now - asked)
        )  # so that the looking leaves at least half of a core to what is awaited


def until_shown(
    screen: Callable[[], str], wanted: Callable[[str], bool], what: str, *, seconds: float = SECONDS
) -> str:
    """Return the first screen that is wanted; fail with the one that is there instead."""
    shown = [""]

    def is_there() -> bool:
        shown[0] = screen()
        return wanted(shown[0])

    until(
        is_there,
        f"{what} on the screen",
        seconds=seconds,
        told=lambda: f"--- the screen:\n{shown[0].rstrip()}\n---",
    )
    return shown[0]
