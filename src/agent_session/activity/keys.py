"""Keys, as people type their names, and as Zellij calls them.

People know the names of their keyboard and those of tmux: both are understood, in any case.
"""

import re

from agent_session.errors import Hint, UsageError

FUNCTIONS = [f"F{number}" for number in range(1, 13)]
PLAIN = ("Enter", "Esc", "Tab", "Up", "Down", "Left", "Right", "Home", "End", *FUNCTIONS)
EDITING = ("Insert", "Delete", "Backspace", "Space", "PageUp", "PageDown")
OTHERS = {
    "PgUp": "PageUp", "PgDn": "PageDown", "Return": "Enter", "Ins": "Insert", "Del": "Delete",
    # tmux's
    "Escape": "Esc", "BSpace": "Backspace", "PPage": "PageUp", "NPage": "PageDown", "IC": "Insert",
    "DC": "Delete", "KPEnter": "Enter", **{f"KP{letter}": letter for letter in "0123456789.+-*/"},
}  # fmt: skip
NAMES = (*PLAIN, *EDITING, "PgUp", "PgDn")
SPELLED = {name.lower(): name for name in (*PLAIN, *EDITING)} | {
    name.lower(): key for name, key in OTHERS.items()
}
TOLD = (
    "Enter, Esc, Tab, Up, Down, Left, Right, Home, End, PgUp, PgDn, Insert, Delete, Backspace, Space, "
    "F1 to F12, a character, tmux's names"
)
"""For a person, who is told of the modifiers beside it."""
MODIFIERS = {"c": "Ctrl", "m": "Alt", "a": "Alt", "s": "Shift"}
KEY = re.compile(r"((?:(?:C|M|S|Ctrl|Control|Alt|Meta|Shift)[-+])*)(\^?)(.+)", re.DOTALL | re.IGNORECASE)
BACK_TAB = {"btab", "backtab"}


def spelled(name: str) -> str:
    """A key in Zellij's words: "C-M-x" is "Ctrl Alt x". UsageError for what is none."""
    before, caret, last = found.groups() if (found := KEY.fullmatch(name)) else ("", "", name)
    modifiers = [MODIFIERS[word[0].lower()] for word in re.findall(r"[A-Za-z]+", before)]
    if caret:  # ^A
        modifiers, last = [*modifiers, "Ctrl"], last.lower()
    if last.lower() in BACK_TAB:
        modifiers, last = [*(word for word in modifiers if word != "Shift"), "Shift"], "Tab"
    key = SPELLED.get(last.lower()) or (last if len(last) == 1 and last.isprintable() and last != " " else "")
    if not key or len(set(modifiers)) < len(modifiers):
        raise UsageError(
            f"{name!r} is not a key; the keys are {TOLD}; with C-, M- or S- in front",
            hint=Hint("send", ["NAME", "--key", "C-c"]),
        )
    return " ".join([*modifiers, key])
