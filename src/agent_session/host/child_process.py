"""Programs run as children that do not outlive us, with their lines reported or with our streams."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

Tell = Callable[[str], None]


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None, tell: Tell) -> int:
    """Run it to its end, telling every line of stdout and stderr; returns its exit status.

    When we are interrupted or `tell` raises, all its processes get SIGTERM and are waited for.
    """
    with subprocess.Popen(
        [*_leash("TERM"), *command], env=environment, text=True, errors="replace", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                tell(line.rstrip())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()  # on KeyboardInterrupt Popen itself waits for a quarter of a second only
            raise
    return process.returncode


def _leash(signal_name: str) -> list[str]:
    """Words before a command: should we be killed outright, the kernel sends it the signal that we cannot."""
    return ["setpriv", "--pdeathsig", signal_name, "--"] if shutil.which("setpriv") else []


def run_for_reader(command: Sequence[str], *, environment: Mapping[str, str]) -> int | None:
    """Run it on our own streams; returns its exit status, None where the reader of our stdout has gone."""
    with subprocess.Popen([*_leash("KILL"), *command], env=environment) as process:
        try:
            if _ends_before_reader(process):
                return process.wait()
            process.kill()
            return None
        except BaseException:
            process.kill()
            raise


def _ends_before_reader(process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the process has ended (True), or the other end of the pipe that is our stdout is closed."""
    waited = select.poll()
    waited.register(sys.stdout.fileno(), 0)  # an error is told of anyway
    ends = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    try:
        if ends is not None:
            waited.register(ends, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in waited.poll(None if ends is not None else 100)}
            if process.poll() is not None:
                return True
            if sys.stdout.fileno() in ready:
                return False
    finally:
        if ends is not None:
            os.close(ends)
