"""An agent in two colours, each with an image that is built once a user: what a session can be moved between.

Building one takes seconds (its layers are copied for the session's user ids), and building the second removes the first:
that is kept by another name meanwhile.
"""

import os
import subprocess
from pathlib import Path

from tests.account import Account, Storage

COLORS = ("red", "green")
KEPT = "localhost/agent-session-tests-red:kept"


def containerfile(color: str) -> str:
    """The agent's Containerfile in that colour."""
    return f'ARG BASE\nFROM ${{BASE}}\nENV COLOR={color}\nCMD ["sh"]\n'


def build(storage: Storage) -> dict[str, str]:
    """Both images, by colour, in the storage of the user who runs the tests."""
    storage.build("shell")  # the base, and the folder of this user's agents
    folder = storage.folder / "data" / "agent-session" / "agents" / "tiny"
    folder.mkdir(exist_ok=True)
    (folder / "agent.yaml").write_text("title: Test\n")
    built = {}
    for color in COLORS:
        (folder / "Containerfile").write_text(containerfile(color))
        built[color] = storage.build("tiny")
        if color == "red":
            _podman(storage, "tag", built[color], KEPT)
    _podman(storage, "tag", KEPT, built["red"])
    return built


def paint(account: Account, color: str) -> None:
    """The account's agent `tiny` has that colour from now on."""
    folder = account.home / ".local" / "share" / "agent-session" / "agents" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.yaml").write_text("title: Test\n")
    (folder / "Containerfile").write_text(containerfile(color))


def _podman(storage: Storage, *words: str | Path) -> None:
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(storage.folder / "storage.conf")}
    subprocess.run(["podman", "--log-level=error", *words], env=environment, check=True, capture_output=True)
