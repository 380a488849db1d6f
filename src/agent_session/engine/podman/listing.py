"""All containers by one podman command, which may be begun before the question is known.

The command answers in 45 ms, and 50 containers are no slower than one. The program takes as long to be
imported, so the two are done at once (cli/prefetch). To be that early this module imports next to nothing:
subprocess and what that needs take 8 ms.
"""

import os
import sys
import time

TYPE_CHECKING = False  # as mypy reads it; the real one is in `typing`
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COMMAND = ("podman", "--log-level=error", "ps", "--all", "--no-trunc", "--format=json")
PIPE = 1 << 20
"""Bytes that Podman may say before anybody listens, where the system allows it."""
FRESH_SECONDS = 2
"""A caller that waited for longer, for standard input say, asks again."""
DROP_SECONDS = 3
KILL = 9
IGNORED = (13, 25)
"""SIGPIPE and SIGXFSZ, which Python ignores and other programs must not; the module signal takes 2 ms."""


class Failed(Exception):
    """The command failed; the words are Podman's."""


def is_local(environment: "Mapping[str, str]") -> bool:
    """Whether Podman is this machine's and needs no address."""
    named = environment.get("CONTAINER_HOST") or environment.get("CONTAINER_CONNECTION")
    return not named and sys.platform == "linux"


class Listing:
    """The listing command, begun or not."""

    def __init__(self) -> None:
        self._pid = 0
        self._begun = 0.0
        self._output = self._complaint = -1

    def begin(self) -> int:
        """Start the command; returns its process id. Raises OSError where there is no podman."""
        self._begun = time.monotonic()
        self._output, output = os.pipe()
        self._complaint = os.memfd_create(
            "complaint"
        )  # a file, so that nobody has to read two streams at once
        _enlarge(output)
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, self._complaint, 2),
        ]
        try:
            self._pid = os.posix_spawnp(
                COMMAND[0], COMMAND, os.environ, file_actions=streams, setsigdef=IGNORED
            )
        except OSError:
            self._close()
            raise
        finally:
            os.close(output)
        return self._pid

    def answer(self) -> "list[dict[str, Any]]":
        """Return one object for each container as of the moment the command was begun.

        The next call begins a new command. Raises Failed, or OSError where there is no podman.
        """
        if time.monotonic() - self._begun > FRESH_SECONDS:
            self.drop()
        if not self._pid:
            self.begin()
        pid, self._pid = self._pid, 0
        try:
            with open(self._output, "rb", closefd=False) as file:
                output = file.read()
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
                raise Failed(os.pread(self._complaint, PIPE, 0).decode("utf-8", "replace"))
        finally:
            self._close()
        import json

        containers: list[dict[str, Any]] = json.loads(output or b"[]") or []
        return containers

    def drop(self) -> None:
        """Let a command that is not needed end by itself, for some seconds.

        A user's first podman since boot, when it is ended half-way, hangs for ever.
        """
        pid, self._pid = self._pid, 0
        if not pid:
            return
        deadline = time.monotonic() + DROP_SECONDS
        try:
            self._read_until(deadline)
            while not os.waitpid(pid, os.WNOHANG)[0]:
                if time.monotonic() > deadline:
                    os.kill(pid, KILL)
                    os.waitpid(pid, 0)
                    break
                time.sleep(0.005)
        finally:
            self._close()

    def _read_until(self, deadline: float) -> None:
        """Read what the command says, and nobody wants, until it is all or time is up."""
        import select

        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._output], [], [], left)[0] and not os.read(self._output, PIPE):
                break

    def _close(self) -> None:
        os.close(self._output)
        os.close(self._complaint)


def _enlarge(pipe: int) -> None:
    import fcntl

    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
    except OSError:  # this user has as many large pipes as may be
        return
