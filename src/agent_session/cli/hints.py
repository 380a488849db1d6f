"""The hint below an error: commands that can be pasted, with the name that this program was called by."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_session.errors import PROGRAM, Hint

LAUNCHED_AS = "AGENT_SESSION_LAUNCHED_AS"
"""How the launcher was called; Python sees only its own module."""


def program(environment: Mapping[str, str] = os.environ) -> str:
    """What to type for this program: the path that it was called by, or its name where PATH leads to it."""
    started = Path(sys.argv[0])
    called = environment.get(LAUNCHED_AS, "") if started.name == "__main__.py" else str(started)
    name = Path(called).name
    if not os.access(called, os.X_OK) or (started.name != "__main__.py" and name != PROGRAM):
        return PROGRAM
    found = shutil.which(name, path=environment.get("PATH"))
    return name if found and Path(found).samefile(called) else called


def lines(hints: Sequence[Hint]) -> list[str]:
    """A line for each hint, so that each can be pasted."""
    name = program() if any(_is_ours(hint) for hint in hints) else PROGRAM
    return [f"{'or:  ' if number else 'hint:'} {hint.text(name)}" for number, hint in enumerate(hints)]


def _is_ours(hint: Hint) -> bool:
    return bool(hint.verb) or bool(hint.then and _is_ours(hint.then))
