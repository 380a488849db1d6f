"""What a podman command says is read within bounds, of time and of memory."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator

import pytest

from agent_session.engine.command import ExecResult
from agent_session.engine.podman import processes


def whole(
    script: str, *, stdin: bytes = b"", timeout: float = 30, largest: int = processes.LARGEST
) -> ExecResult:
    return processes.whole(["sh", "-c", script], stdin=stdin, stdout=None, timeout=timeout, largest=largest)


def test_what_is_said_and_how_it_ended_come_back() -> None:
    done = whole("cat; echo words >&2; exit 3", stdin=b"given\n")
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"given\n", b"words\n")


def test_more_than_a_pipe_holds_goes_both_ways() -> None:
    given = bytes(range(256)) * 8000
    done = whole("cat", stdin=given)
    assert (done.exit_code, done.stdout) == (0, given)


def test_who_does_not_read_what_is_given_ends_as_usual() -> None:
    assert whole("exit 5", stdin=b"x" * 1_000_000).exit_code == 5


@pytest.mark.parametrize("script", ["exec cat /dev/zero", "exec cat /dev/zero >&2", "cat /dev/zero | cat"])
def test_endless_words_end_the_command_and_not_the_memory(script: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    done = whole(script)
    assert done.exit_code == processes.TOO_MUCH
    assert b"more than 4 MB" in done.stderr
    assert time.monotonic() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "in KiB"


def test_who_needs_more_says_so() -> None:
    done = whole("head -c 9000000 /dev/zero", largest=64 << 20)
    assert (done.exit_code, len(done.stdout)) == (0, 9_000_000)


@pytest.mark.parametrize(
    "script", ["exec sleep 60", "exec >&- 2>&-; exec sleep 60", "while :; do echo x; sleep 0.05; done"]
)
def test_time_is_up_for_the_silent_and_for_the_talkative(script: str) -> None:
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        whole(script, timeout=0.5)
    assert time.monotonic() - started < 10


def test_output_can_go_to_a_file() -> None:
    with tempfile.TemporaryFile() as file:
        done = processes.whole(["echo", "words"], stdin=b"", stdout=file, timeout=30)
        file.seek(0)
        assert (done.stdout, file.read()) == (b"", b"words\n")


def test_a_stream_that_complains_without_end_ends() -> None:
    program = "import os\nwhile True: os.write(2, b'x' * 65536); os.write(1, b'.')"
    stream = processes.stream([sys.executable, "-c", program], stdin=b"", timeout=60)
    assert _end_of(stream).exit_code == processes.TOO_MUCH


def _end_of(stream: Generator[bytes, None, ExecResult]) -> ExecResult:
    while True:
        try:
            next(stream)
        except StopIteration as end:
            result: ExecResult = end.value
            return result
