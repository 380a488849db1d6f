"""All containers by one podman command, which may be begun before the question is known.

The command answers in 45 ms, and 50 containers are no slower than one. The command line takes as long to be
imported and understood, so the two are done at once (cli/prefetch). This module imports next to nothing, to
be that early.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

COMMAND = ("podman", "--log-level=error", "ps", "--all", "--no-trunc", "--format=json")
PIPE = 1 << 20
"""Bytes that Podman may say before anybody listens, where the system allows it."""
FRESH_SECONDS = 2
"""A caller that waited for longer, for standard input say, asks again."""
DROP_SECONDS = 3


class Failed(Exception):
    """The command failed; the words are Podman's."""


def is_local(environment: Mapping[str, str]) -> bool:
    """Whether Podman is this machine's and needs no address."""
    named = environment.get("CONTAINER_HOST") or environment.get("CONTAINER_CONNECTION")
    return not named and sys.platform == "linux"


class Listing:
    """The listing command, begun or not."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0

    def begin(self) -> "subprocess.Popen[bytes]":
        """Start the command. Raises OSError where there is no podman."""
        self._begun = time.monotonic()
        try:
            self._process = self._started(PIPE)
        except PermissionError:  # this user has as many large pipes as may be
            self._process = self._started(-1)
        return self._process

    def _started(self, pipe: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=pipe
        )

    def answer(self) -> list[dict[str, Any]]:
        """Return one object for each container as of the moment the command was begun.

        The next call begins a new command. Raises Failed, or OSError where there is no podman.
        """
        if time.monotonic() - self._begun > FRESH_SECONDS:
            self.drop()
        process, self._process = self._process or self.begin(), None
        out, err = process.communicate()
        if process.returncode:
            raise Failed(err.decode("utf-8", "replace"))
        containers: list[dict[str, Any]] = json.loads(out or b"[]") or []
        return containers

    def drop(self) -> None:
        """Let a command that is not needed end by itself, for some seconds.

        A user's first podman since boot, when it is ended half-way, hangs for ever.
        """
        process, self._process = self._process, None
        if process:
            try:
                process.communicate(timeout=DROP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                for pipe in (process.stdout, process.stderr):  # which a child of it may hold
                    if pipe:
                        pipe.close()
