"""The key with which a terminal leaves a session: which it may be, and which programs here take it.

Our `Ctrl q` never arrives where the user's own Zellij, VS Code or a tmux that uses it comes first: Zellij
then ends with all its panes, VS Code with all its windows.
"""

import re
from collections.abc import Mapping

DEFAULT = "Ctrl q"
ALTERNATIVE = "Ctrl ]"
"""Neither Zellij (any preset), nor tmux, screen, VS Code or a desktop has it by default; one byte in every
terminal."""
SHAPE = re.compile(
    r"(?:(?P<ctrl>ctrl|control|c)[ +-])?(?:(?P<alt>alt|meta|m)[ "
    r"+-])?(?P<key>[a-z]|\]|space|f(?:[1-9]|1[0-2]))",
    re.IGNORECASE,
)
TAKEN = {"c": "interrupts the agent", "h": "is Backspace", "i": "is Tab", "j": "is Enter", "m": "is Enter"}
"""What terminals and agents mean by Ctrl and one of these."""


def read(text: str) -> str:
    """Read a key as Zellij writes it ("Ctrl q", "Alt x", "Ctrl Alt q", "Ctrl ]", "F12").

    Raises ValueError for anything else.
    """
    found = SHAPE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a key (Ctrl q, Ctrl ], Alt x, Ctrl Alt q, Ctrl space, F12)")
    key = found["key"].lower()
    if key.startswith("f") and len(key) > 1:
        key = key.upper()
    elif not found["ctrl"] and not found["alt"]:
        raise ValueError(f"{text!r} is typed into the agent: a key needs Ctrl or Alt, or is one of F1 to F12")
    elif key in TAKEN and not found["alt"]:
        raise ValueError(f"Ctrl {key} {TAKEN[key]}: another key is needed (Ctrl q, Ctrl ], F12)")
    return " ".join([*(["Ctrl"] if found["ctrl"] else []), *(["Alt"] if found["alt"] else []), key])


def choose(chosen: str | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """The key for this terminal, and a line about it ("" where there is nothing to say).

    A chosen key is used. Where none was chosen and a program around this terminal takes the usual key, it
    is the other one.
    """
    key = chosen or DEFAULT
    program = taken_by(key, environment)
    if not program:
        return key, ""
    if chosen:
        return key, f"warning: {program} may take {key} before the session gets it"
    return ALTERNATIVE, f"{program} takes {key} itself, so here {ALTERNATIVE} detaches (or --detach-key)"


def taken_by(key: str, environment: Mapping[str, str]) -> str:
    """The program around this terminal that takes the key, "" where none is known to."""
    if key == DEFAULT and "ZELLIJ" in environment:
        return "your Zellij, in which this terminal is,"
    in_tmux = bool(environment.get("TMUX"))
    if key == DEFAULT and (
        environment.get("TERM_PROGRAM") == "vscode"
        or (in_tmux and any(name.startswith("VSCODE_") for name in environment))
    ):
        return "VS Code"
    return "your tmux, in which this terminal is," if in_tmux and _tmux_takes(key, environment) else ""


def _tmux_takes(key: str, environment: Mapping[str, str]) -> bool:
    """Whether the key is tmux's prefix, or bound without one."""
    import subprocess  # 8 ms that only a terminal in tmux need pay

    name = key.replace("Ctrl ", "C-").replace("Alt ", "M-").replace("space", "Space")
    asked = ["show-options", "-g", ";", "list-keys", "-T", "root"]
    try:
        done = subprocess.run(
            ["tmux", *asked], env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=2, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        words = line.replace("\\", "").split()
        if words[:1] in (["prefix"], ["prefix2"]) and name in words[1:]:
            return True
        if words[:1] == ["bind-key"] and "root" in words and name == words[words.index("root") + 1]:
            return True
    return False
