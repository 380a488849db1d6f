"""A label that a user gives a session: key=value."""

import re

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
LONGEST = 200
NONE = "none"
"""In place of a label: the session has none."""


def read(text: str) -> str:
    """Return key=value as it is typed; "none" stays. Raises ValueError with one line for anything else."""
    key, equals, value = text.partition("=")
    if text == NONE:
        return text
    if not equals or not KEY.fullmatch(key) or not value.isprintable() or len(value) > LONGEST:
        raise ValueError(f"{text[:100]!r} is not a label (team=web)")
    return text
