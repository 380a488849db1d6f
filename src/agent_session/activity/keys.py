"""Keys, as people type their names, and as Zellij calls them."""

import re

from agent_session.errors import Hint, UsageError

NAMED = {
    **{name: name for name in ("Enter", "Esc", "Tab", "Up", "Down", "Left", "Right", "Home", "End")},
    "PgUp": "PageUp",
    "PgDn": "PageDown",
    **{name: name for name in ("Insert", "Delete", "Backspace", "Space")},
}
FUNCTIONS = [f"F{number}" for number in range(1, 13)]
NAMES = (*NAMED, *FUNCTIONS)
TOLD = f"{', '.join(NAMED)}, {FUNCTIONS[0]} to {FUNCTIONS[-1]}, a character"
"""For a person, who is told of the modifiers beside it."""
SPELLED = {name.lower(): NAMED.get(name, name) for name in NAMES}
MODIFIERS = {"C": "Ctrl", "M": "Alt", "S": "Shift"}
KEY = r"((?:[CMS]-)*)(.+)"


def spelled(name: str) -> str:
    """A key in Zellij's words: "C-M-x" is "Ctrl Alt x". UsageError for what is none."""
    matched = re.fullmatch(KEY, name, re.DOTALL)
    modifiers, last = (matched[1].split("-")[:-1], matched[2]) if matched else ([], name)
    found = SPELLED.get(last.lower()) or (
        last if len(last) == 1 and last.isprintable() and last != " " else None
    )
    if found is None or len(set(modifiers)) < len(modifiers):
        raise UsageError(
            f"{name!r} is no key; there are: {TOLD}; with C-, M- or S- in front",
            hint=Hint("send", ["NAME", "--key", "C-c"]),
        )
    return " ".join([*(MODIFIERS[letter] for letter in modifiers), found])
