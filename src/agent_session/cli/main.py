"""The program's beginning: its first question to Podman is begun before anything else is imported."""

import gc
import io
import os
import sys

from agent_session.cli.prefetch import Prefetch


def main() -> None:
    """Run the program and end the process with a documented exit code."""
    gc.set_threshold(100_000)  # looking for garbage while importing costs 5 ms
    _open_what_is_closed()
    os.environ.setdefault("PODMAN_IGNORE_CGROUPSV1_WARNING", "1")  # Podman 5 would say it at each command
    prefetch = Prefetch()
    prefetch.ask(sys.argv[1:])
    from agent_session.cli.run import run
    from agent_session.host import signals

    signals.raise_on_endings()
    _replace_what_cannot_be_said()
    code = run(sys.argv[1:], prefetch)
    gc.freeze()  # and at the end as much: what is left goes with the process
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Open standard streams that a caller closed (`>&-`).

    The next files to be opened would get their numbers, and their output, otherwise.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(
            descriptor, True
        )  # or the program that takes our place waits for an input that never ends
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It is for as long as we are, and pathlib takes 3 ms.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123


def _replace_what_cannot_be_said() -> None:
    """Print question marks, not tracebacks, for characters that the terminal or locale does not have."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # What of a file's name is no UTF-8 is surrogates here, which UTF-8 streams of the C locale can give
        # back as they were.
        if isinstance(stream, io.TextIOWrapper) and (stream.errors, stream.encoding) != (
            "surrogateescape",
            "utf-8",
        ):
            stream.reconfigure(errors="replace")
