"""What only Claude's screen knows: whether its input is empty, and the options of a dialog. Seen with 2.1.329."""

import re

from agent_orders import press, screen, until

PROMPT, SEARCH = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}", "\u2315"
RULE = "\u2500"
COLOUR = re.compile(r"\x1b\[([0-9;:]*)m")
OPTION = re.compile(rf"^[\s\u2502\u2191\u2193]*({PROMPT})?\s*(\d{{1,2}})\. +(?:\[.?\] *)?(.*?)\s*$")


def typed() -> str | None:
    """The text in the input box, suggestions left out; None when there is no box: a dialog, a search, another program."""
    rows = [row.rstrip() for row in screen(colours=True)]
    plain = [COLOUR.sub("", row).rstrip() for row in rows]
    bottoms = [at for at, row in enumerate(plain) if len(row) >= 10 and set(row) == {RULE}]
    for top in range(bottoms[-1] - 1, -1, -1) if bottoms else ():
        if plain[top].startswith(RULE * 3):
            box = [_without_suggestion(row) for row in rows[top + 1 : bottoms[-1]]]
            if not box or not box[0].startswith(PROMPT):
                return None
            return "\n".join([box[0][1:], *box[1:]]).replace("\xa0", " ").strip()
    return None


def _without_suggestion(row: str) -> str:
    """The row without what is dim, and without the cursor (inverse) on the first letter of it."""
    kept, dim, inverse, at = [], False, False, 0
    for found in [*COLOUR.finditer(row), None]:
        piece = row[at : found.start() if found else len(row)]
        if piece and dim and kept and kept[-1][1]:
            kept.pop()
        if piece and not dim:
            kept.append((piece, inverse))
        if found:
            at = found.end()
            for code in found[1].split(";"):
                dim = code == "2" or (dim and code not in {"", "0", "22"})
                inverse = code == "7" or (inverse and code not in {"", "0", "27"})
    return "".join(piece for piece, _ in kept).rstrip()


def searching() -> str | None:
    """What is typed into the search of earlier prompts, without spaces; None when it is not open."""
    rows = ["".join(row.split()) for row in screen()]
    return next((row.partition(SEARCH)[2].rstrip("\u2502") for row in reversed(rows) if SEARCH in row), None)


def options() -> list[tuple[int, str, bool]]:
    """The numbered options of the dialog, as far as its terminal has room for them: number, words, whether the cursor is there."""
    return _options(screen())[1]


def dialog() -> str:
    """What the dialog says above its options."""
    rows = screen()
    first, _ = _options(rows)
    said = [row.strip() for row in rows[:first]]
    top = next((at for at in range(len(said), 0, -1) if said[at - 1][:3] in {RULE * 3, "\u2594" * 3}), 0)
    return "\n".join(row for row in said[top:] if row)


def _options(rows: list[str]) -> tuple[int, list[tuple[int, str, bool]]]:
    """The row of the first option that is shown, and the options."""
    first, found = 0, []
    for at, row in enumerate(rows):
        if matched := OPTION.match(row):
            number = int(matched[2])
            if not found or number != found[-1][0] + 1:
                first, found = at, []
            found.append((number, matched[3], bool(matched[1])))
    return first, found


def clear() -> bool:
    """Take the text out of the input box. One Ctrl-C never ends Claude; two would."""
    text = until(typed, 2)
    if text:
        press("Ctrl c")
        until(lambda: typed() == "", 3)
    return typed() == ""
