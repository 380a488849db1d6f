"""The text for an agent: TEXT as it is, - for standard input, or nothing where something is piped in."""

import sys

from agent_session.errors import Hint


def message(text: str | None, *, hint: Hint) -> str:
    """The text. UsageError with that hint where there is none."""
    from agent_session.activity.conversation import check_said

    if text is None and sys.stdin is not None and not sys.stdin.isatty():
        text = "-"
    text = piped() if text == "-" else text or ""
    check_said(text, hint=hint)
    return text


def piped() -> str:
    """Read standard input as a text, without the end of its last line.

    One byte too many is read, which is enough to be refused.
    """
    from agent_session.sanitize import LARGEST_TYPED

    return sys.stdin.buffer.read(LARGEST_TYPED + 2).decode("utf-8", "replace").removesuffix("\n")
