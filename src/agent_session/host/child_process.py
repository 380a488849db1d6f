"""A program run as a child: its lines are told as they come, and it does not outlive us."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

Tell = Callable[[str], None]


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None, tell: Tell) -> int:
    """Run it to its end, telling every line of stdout and stderr; returns its exit status.

    When we are interrupted or `tell` raises, all its processes get SIGTERM and are waited for.
    """
    # Should we be killed outright, the kernel sends it the SIGTERM that we cannot.
    leash = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    with subprocess.Popen(
        [*leash, *command], env=environment, text=True, errors="replace", start_new_session=True,
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
