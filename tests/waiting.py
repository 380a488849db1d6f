"""Waiting with a deadline: nothing in these tests sleeps for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def until(
    condition: Callable[[], T], what: str, *, seconds: float = 10, told: Callable[[], object] | None = None
) -> T:
    """The first true value of `condition`; fails after so many seconds, saying what was awaited and what `told` says of it."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}" + (f"\n{told()}" if told else ""))
        time.sleep(0.03)
    return value
