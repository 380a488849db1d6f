"""A session that answers with endless output, pipes, many files and dates of the year 9999 holds up no verb,
and fills nobody's memory.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks
from tests.storage import LAUNCHER

pytestmark = pytest.mark.podman
MEMORY = 64 << 20
SECONDS = 10
ENDING = 20
"""Seconds for what waits until a container's programs have ended (10), or have begun."""
PATIENCE = 60
"""Seconds until a verb is ended that does not end."""


def measured(account: Account, *words: str | Path) -> tuple[float, int, str]:
    """Run a verb; return its seconds, the most memory of it and its commands in bytes, and what it said."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [LAUNCHER, *words],
        env=account.environment,
        cwd=account.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout
    said = bytearray()
    while chunk := os.read(process.stdout.fileno(), 1 << 16):
        said += chunk[: (1 << 20) - len(said)]
        if time.monotonic() - begun > PATIENCE:
            process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    text = said.decode(errors="replace")
    assert "Traceback" not in text, text
    assert "this is a bug" not in text, text
    return time.monotonic() - begun, usage.ru_maxrss << 10, text


@pytest.mark.parametrize("files", [1000, pytest.param(333_000, marks=pytest.mark.long)])
def test_verbs_end_in_time_and_within_memory(account: Account, files: int) -> None:
    app = account.project("app")
    account.ok("start", "-d", "-a", "shell", "-n", "a", app)
    attacks.place("endless.py", app)
    verbs: list[tuple[str | Path, ...]] = [
        ("status", "a"),
        ("ls",),
        ("screen", "a"),
        ("logs", "a"),
        ("review", "a"),
        ("stop", "a"),
        ("logs", "a"),
        ("start", "-d", "-n", "a"),
        ("export", "a", account.home / "out.tar.zst"),
        ("rm", "-f", "--discard-work", "a"),
    ]
    _, baseline, _ = measured(account, "ls")
    done = attacks.run(account, ["/usr/bin/python3", "/workspace/app/endless.py", str(files)], session="a")
    assert done.code == 0, done
    figures = []
    for words in verbs:
        seconds, memory, said = measured(account, *words)
        figures.append((words[0], round(seconds, 1), memory >> 20, said[-200:]))
        print(f"{words[0]}: {seconds:.1f} s, {memory >> 20} MB", said[-300:])
    free = {"export", "rm"} if files > 100_000 else set()  # they read each file
    late = [
        figure
        for figure in figures
        if figure[0] not in free and figure[1] > (ENDING if figure[0] in {"start", "stop"} else SECONDS)
    ]
    assert late == []
    assert [figure for figure in figures if figure[2] << 20 > baseline + MEMORY] == [], baseline
    assert account.sessions() == {}
