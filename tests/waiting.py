"""Waiting with a deadline: nothing in these tests sleeps for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, *, seconds: float = 10, every: float = 0.03) -> T:
    """The first true value of `condition`; AssertionError with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}; last: {value!r}"
        time.sleep(every)
    return value
