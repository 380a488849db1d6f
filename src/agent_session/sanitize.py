"""Texts from containers, file names or standard input are made harmless before a terminal shows them.

A terminal obeys control characters, and shows what comes after one that turns the direction of writing as
something else than it is. So there are two rules. What has to be seen as it is (`shown`, `line`): each
character that does not print, of whatever kind, is U+FFFD there. What a program wrote for a terminal
(`lines`, `coloured`): its escape sequences go whole, controls and turns go, line ends and tabs stay. And what
goes the other way, into a session (`typed`): controls become pictures of themselves.
"""

import re

from agent_session.errors import Hint, UsageError

LARGEST_TYPED = 1_000_000
"""Bytes of UTF-8 that may be typed or said at once."""
LONGEST_LINE = 2000
ESCAPES = (
    r"(\x1b\[[0-9;:]*m)"  # colours
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
"""Compiled when first used: `ls` seldom has to."""


def shown(text: str, *, newlines: bool = False) -> str:
    """The text as it is, with U+FFFD for what does not print; with `newlines` but for those."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or (newlines and char == "\n") else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def line(text: str, longest: int = LONGEST_LINE) -> str:
    """The text as one line that nothing can hide in, of so many characters at most."""
    found = shown(" ".join(text[: 4 * longest].split()))
    return found if len(found) <= longest else found[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def message(text: str, longest: int = LONGEST_LINE) -> str:
    """What a program wrote for a terminal, as one line."""
    return line(lines(text), longest)


def lines(text: str) -> str:
    """What a program wrote for a terminal, without any escape sequence."""
    return re.sub(ESCAPES, "", text)


def coloured(text: str) -> str:
    """What a program wrote for a terminal, with colours as its only escape sequences."""
    return re.sub(ESCAPES, lambda found: found[1] or "", text)


def typed(text: str) -> bytes:
    """The text for a session's terminal or agent, with newlines and without active control characters.

    Raises UsageError where it is too large.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pictures = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
    pictures |= {0x7F: 0x2421, **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)}
    found = text.translate(pictures).encode()
    if len(found) > LARGEST_TYPED:
        raise UsageError(
            f"that text has {len(found)} bytes, more than {LARGEST_TYPED}", hint=Hint("cp", ["--help"])
        )
    return found
