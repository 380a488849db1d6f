"""What is printed cannot always be written: each verb says so in a line and ends with an exit code."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_session.cli import run
from agent_session.cli.verbs import VERBS
from tests.unit.machine import Machine

PRINTING = [
    *([verb, "-h"] for verb in VERBS),
    *(["--help"], ["--version"], [], ["help"], ["version"], ["ls"], ["ls", "-q"], ["ls", "--json"], ["ps"]),
    *(
        ["agents"],
        ["agents", "--json"],
        ["status"],
        ["status", "--json"],
        ["logs"],
        ["start", "-d"],
        ["completion", "zsh"],
    ),
    *(["build", "--all"], ["start", "--dry-run", "-n", "x"], ["doctor"]),
]


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_full_standard_output_is_told_in_a_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    machine.ok("start", "-d", "-n", "web")
    machine.capsys.readouterr()
    with monkeypatch.context() as patched, Path("/dev/full").open("w") as full:
        patched.setattr(sys, "stdout", full)
        code = run.run(list(words))
    err = machine.capsys.readouterr().err
    assert "Traceback" not in err
    if code == 0:
        assert words == ["logs"]  # it had nothing to print
    else:
        assert (code, "cannot write to standard output: No space left on device" in err) == (3, True), err


def test_nothing_stays_open_of_what_could_not_be_written(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("--version")
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with monkeypatch.context() as patched, Path("/dev/full").open("w") as full:
        patched.setattr(sys, "stdout", full)
        assert run.run(["--version"]) == 3
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_writes_seldom_ends_with_its_reader(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, time\n"
        "from agent_session.cli import stdout\n"
        "from agent_session.errors import Interrupted\n"
        "stdout.end_with_reader()\n"
        "print('first', flush=True)\n"
        "try:\n"
        "    time.sleep(60)\n"
        "except Interrupted as ending:\n"
        "    sys.exit(ending.exit_code)\n"
    )
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    process.stdout.close()
    assert process.wait(timeout=20) == 141
