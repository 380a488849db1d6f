"""README and the other pages as tests read them:
their blocks of commands, and what stands between the blocks.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.storage import REPOSITORY

README = REPOSITORY / "README.md"
PAGES = [
    *(REPOSITORY / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def text(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text(page))


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Each fenced block's language and content; what is in a `console` block is run by
    tests/e2e/test_readme.py.
    """
    for language, content in FENCE.findall(text(page)):
        yield language, textwrap.dedent(content)


def commands(block: str) -> list[str]:
    """The commands of a block: what follows `$ `, with here-documents."""
    found: list[str] = []
    closing = None
    for line in block.splitlines():
        if closing is not None:
            found[-1] += f"\n{line}"
            closing = None if line == closing else closing
        elif line.startswith("$ "):
            found.append(line.removeprefix("$ "))
            if begun := re.search(r"<<-?\s*'?(\w+)'?", line):
                closing = begun[1]
    return found


def outputs(block: str) -> list[str]:
    """The lines of a block that are not its commands."""
    told = block
    for command in commands(block):
        told = told.replace(f"$ {command}\n", "", 1)
    return told.splitlines()
