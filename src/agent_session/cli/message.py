"""What a person or a script hands to an agent: TEXT as it is, - for standard input, or nothing where something is piped in."""

import sys

from agent_session.errors import UsageError


def message(text: str | None, *, hint: str) -> str:
    """The text. UsageError with that hint where there is none."""
    from agent_session.orders import LARGEST_TEXT

    if text is None and sys.stdin is not None and not sys.stdin.isatty():
        text = "-"
    if text == "-":
        # One byte too many is enough to be refused.
        text = sys.stdin.buffer.read(LARGEST_TEXT + 2).decode("utf-8", "replace").removesuffix("\n")
    if not text or not text.strip():
        raise UsageError("there is no text", hint=hint)
    return text
