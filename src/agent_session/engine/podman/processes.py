"""What a podman command says, heard when it has ended or while it runs; for podman_engine."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO, Any

from agent_session.engine.protocol import ExecResult
from agent_session.errors import Interrupted
from agent_session.host.signals import uninterrupted

PIECE = 1 << 16
ASKED_EACH = 0.2
"""Seconds between two looks at whether what runs on a terminal has been cancelled."""


def whole(
    argv: Sequence[str], *, stdin: bytes | IO[bytes], stdout: IO[bytes] | None, timeout: float
) -> ExecResult:
    """Run it to its end; with `stdout` what it says goes there. subprocess.TimeoutExpired, then it is killed."""
    given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    done = subprocess.run(
        argv, **given, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False
    )
    return ExecResult(exit_code=done.returncode, stdout=done.stdout or b"", stderr=done.stderr)


def stream(argv: Sequence[str], *, stdin: bytes, timeout: float | None) -> Generator[bytes, None, ExecResult]:
    """Run it, giving what it says in pieces; returns how it ended, exit code 124 when time was up. It does not outlive the generator."""
    end = None if timeout is None else time.monotonic() + timeout
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as complaints:
        given.write(stdin)
        given.seek(0)
        # In a process group of its own: Ctrl-C is for us to make sense of.
        process = subprocess.Popen(
            argv, stdin=given, stdout=subprocess.PIPE, stderr=complaints, bufsize=0, process_group=0
        )
        with _ended_at_last(process):
            assert process.stdout is not None
            while _readable(process.stdout, end):
                if not (piece := process.stdout.read(PIECE)):
                    process.wait()
                    complaints.seek(0)
                    return ExecResult(exit_code=process.returncode, stderr=complaints.read())
                yield piece
            return ExecResult(exit_code=124, stderr=f"not done within {timeout:g} s".encode())


def wait_on_terminal(argv: Sequence[str], *, cancelled: Callable[[], bool]) -> int:
    """Run it on this terminal; returns its exit code. Interrupted, and it has ended, where `cancelled` says so."""
    with subprocess.Popen(argv) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(timeout=ASKED_EACH)
                if cancelled():
                    raise Interrupted
        except BaseException:
            process.kill()  # podman would pass a gentler signal on to the container, and wait for that
            raise


def _readable(pipe: IO[bytes], end: float | None) -> bool:
    """Whether there is something to read, or its end, before that moment."""
    left = None if end is None else max(0, end - time.monotonic())
    return bool(select.select([pipe], [], [], left)[0])


@contextlib.contextmanager
def _ended_at_last(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whatever happens in the block, the process and those it began have ended after it."""
    try:
        yield
    finally:
        with uninterrupted():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdout:
                process.stdout.close()
