"""An agent in two colours, each with an image that is built once a user:
what a session can be moved between.
"""

from pathlib import Path

from tests import versions
from tests.account import Account
from tests.storage import Storage

COLORS = ("red", "green")


def write(folder: Path, color: str) -> None:
    """Make the agent's folder that of one colour."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.yaml").write_text("title: Test\n")
    (folder / "Containerfile").write_text(f'ARG BASE\nFROM ${{BASE}}\nENV COLOR={color}\nCMD ["sh"]\n')


def build(storage: Storage) -> dict[str, str]:
    """Build both images, by colour, in the storage of the user who runs the tests."""
    return versions.build(storage, "tiny", COLORS, write)


def paint(account: Account, color: str) -> None:
    """The account's agent `tiny` has that colour from now on."""
    write(account.agents / "tiny", color)
