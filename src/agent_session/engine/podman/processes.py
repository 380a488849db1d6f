"""The output of podman commands, returned when they have ended or while they run."""

import contextlib
import os
import select
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO

from agent_session.engine.command import ExecResult
from agent_session.errors import Interrupted
from agent_session.host.signals import uninterrupted

PIECE = 1 << 16
ASKED_EACH = 0.2
"""Seconds between two looks at whether what runs on a terminal has been cancelled."""
LARGEST = 4 << 20
"""The bytes that a command may write where its output is collected."""
TOO_MUCH = 141
"""The exit code of a command that said more: that of a shell's command which nobody hears any more
(SIGPIPE)."""


def whole(
    argv: Sequence[str],
    *,
    stdin: bytes | IO[bytes],
    stdout: IO[bytes] | None,
    timeout: float,
    largest: int = LARGEST,
) -> ExecResult:
    """Run a command to its end; its output goes to `stdout` if that is given.

    Raises subprocess.TimeoutExpired after `timeout` seconds, when the command has been killed.

    A command that writes more than `largest` bytes is killed as well, and ends with TOO_MUCH: it may be a
    program of the agent's, and this process's memory is the host's.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            return _heard(process, stdin if isinstance(stdin, bytes) else b"", timeout, largest)
        except BaseException:
            process.kill()
            raise


def _heard(process: "subprocess.Popen[bytes]", given: bytes, timeout: float, largest: int) -> ExecResult:
    """Exchange input for output, within bounds; nothing of it is ever on a disk."""
    end = time.monotonic() + timeout
    said = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    rest = memoryview(given)
    with selectors.DefaultSelector() as selector:
        for pipe in said:
            selector.register(pipe, selectors.EVENT_READ)
        if process.stdin and rest:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        elif process.stdin:
            process.stdin.close()
        while selector.get_map():
            ready = selector.select(max(0, end - time.monotonic()))
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(process.args, timeout)
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    rest = _given(key.fd, rest)
                    if not rest:
                        selector.unregister(key.fileobj)
                        process.stdin.close()
                    continue
                piece = os.read(key.fd, PIECE)
                if not piece:
                    selector.unregister(key.fileobj)
                words = said[key.fileobj]  # type: ignore[index] # what was registered
                words += piece
                if len(words) > largest:
                    process.kill()
                    return ExecResult(exit_code=TOO_MUCH, stderr=b"it said more than %d MB" % (largest >> 20))
    process.wait(max(0.1, end - time.monotonic()))
    stdout, stderr = (
        bytes(said.get(pipe, b"")) if pipe else b"" for pipe in (process.stdout, process.stderr)
    )
    return ExecResult(exit_code=process.returncode, stdout=stdout, stderr=stderr)


def _given(descriptor: int, rest: memoryview) -> memoryview:
    """Write once and return what is left of the input; nothing where the pipe has no reader."""
    try:
        return rest[os.write(descriptor, rest[:PIECE]) :]
    except BrokenPipeError:
        return rest[:0]
    except BlockingIOError:
        return rest


def stream(argv: Sequence[str], *, stdin: bytes, timeout: float | None) -> Generator[bytes, None, ExecResult]:
    """Run a command, yielding its output in pieces; returns how it ended.

    The exit code is 124 when it was killed after `timeout` seconds. The command does not outlive the
    generator.
    """
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
            while _readable(process.stdout, end) and os.fstat(complaints.fileno()).st_size <= LARGEST:
                if not (piece := process.stdout.read(PIECE)):
                    process.wait()
                    complaints.seek(0)
                    return ExecResult(exit_code=process.returncode, stderr=complaints.read(LARGEST))
                yield piece
            if os.fstat(complaints.fileno()).st_size > LARGEST:
                return ExecResult(
                    exit_code=TOO_MUCH, stderr=b"it complained more than %d MB" % (LARGEST >> 20)
                )
            return ExecResult(exit_code=124, stderr=f"not done within {timeout:g} s".encode())


def wait_on_terminal(argv: Sequence[str], *, cancelled: Callable[[], bool]) -> int:
    """Run it on this terminal; returns its exit code.

    Raises Interrupted, when it has ended, where `cancelled` says so.
    """
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
    """At the end of the block, the process and those that it began have ended."""
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
