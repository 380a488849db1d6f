"""The three ways in which the working tree of a project is protected from what its agent writes there."""

REVIEW, STRICT, OFF = MODES = "review", "strict", "off"
"""Review: all is written through, and told. Strict: read-only mounts and placeholders. Off: neither.

The parts of git directories that run commands are guarded in each of them.
"""


def read(text: str) -> str:
    """Read a mode. Raises ValueError with one line."""
    mode = text.strip().lower()
    if mode not in MODES:
        raise ValueError(f"{text!r} is not a way to protect a project ({', '.join(MODES)})")
    return mode
