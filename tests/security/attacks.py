"""Programs that play the agent: compiled or copied into a project, and run in its session."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.account import Account, Done

PROGRAMS = Path(__file__).with_name("programs")


def place(name: str, folder: Path) -> Path:
    """A program of tests/security/programs in a folder of the host: C is compiled, the rest copied."""
    source = PROGRAMS / name
    if source.suffix == ".c":
        program = folder / source.stem
        subprocess.run(["gcc", "-static", "-O1", "-o", program, source], check=True, timeout=60)
        return program
    return Path(shutil.copy(source, folder / name))


def run(account: Account, command: Sequence[str], *, session: str = "default") -> Done:
    """The agent's user runs a command in a session."""
    return account.podman_done("exec", f"agent_{session}", *command)


def errors(said: str) -> dict[str, int]:
    """What walls.c says: the errno of each attempt, 0 where it worked."""
    return {name: int(errno) for name, errno in (line.rsplit(" ", 1) for line in said.splitlines())}
