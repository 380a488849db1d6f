"""What a person at a terminal is told while a session takes long to come up."""

import os
import pty
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_session.cli import terminal
from tests.waiting import until


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch, *, patience: float) -> Iterator[int]:
    """A terminal that is standard error; what is written there can be read."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", patience)
    with os.fdopen(slave, "w") as stream, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        yield master
    os.close(master)


def read(master: int) -> str:
    try:
        return os.read(master, 65536).decode()
    except BlockingIOError:
        return ""


def test_who_waits_longer_than_a_moment_is_told_for_what_and_how_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = ""

    def said() -> bool:
        nonlocal shown
        shown += read(master)
        return "waiting for Claude's screen (" in shown and " s)..." in shown

    with screen(monkeypatch, patience=0.05) as master:
        with terminal.patience("Claude's screen"):
            until(said, "the line")
        assert read(master).endswith("\r\x1b[K"), "the line is removed"


def test_what_is_done_at_once_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with screen(monkeypatch, patience=60) as master:
        with terminal.patience("Claude's screen"):
            pass
        assert time.monotonic() - begun < 30
        assert read(master) == ""


def test_where_nobody_looks_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0)
    with (tmp_path / "err").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with terminal.patience("Claude's screen"):
            time.sleep(0)
    assert (tmp_path / "err").read_text() == ""
