"""A child does not outlive its reader, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_session.host import child_process
from tests.storage import REPOSITORY
from tests.waiting import until

MARKED = 'trap "echo ended > {mark}; exit" TERM; echo "up $$"; while :; do sleep 0.05; done'


def test_every_line_of_both_streams_is_told_and_the_status_returned() -> None:
    told: list[str] = []
    assert child_process.run(["sh", "-c", "echo one; echo two >&2; exit 7"], tell=told.append) == 7
    assert sorted(told) == ["one", "two"]


def test_an_interruption_ends_it(tmp_path: Path) -> None:
    def interrupted(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt):
        child_process.run(["sh", "-c", MARKED.format(mark=tmp_path / "mark")], tell=interrupted)
    assert (tmp_path / "mark").read_text() == "ended\n"


def test_it_ends_when_we_are_killed(tmp_path: Path) -> None:
    command = ["sh", "-c", MARKED.format(mark=tmp_path / "mark")]
    program = (
        "from agent_session.host import child_process; "
        f"child_process.run({command!r}, tell=lambda line: print(line, flush=True))"
    )
    ours = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=ours, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline().startswith("up")
        reader.send_signal(signal.SIGKILL)
    until((tmp_path / "mark").exists, "the command's end")
