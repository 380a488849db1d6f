"""All containers by one podman command, which may be begun before anybody knows what to ask of them.

The command answers in 45 ms, and 50 containers are no slower than one. That is as long as the command line takes to be
imported and understood, so the two are done at once (cli/prefetch). Imports next to nothing, to be that early.
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
"""Who waited for longer, for standard input say, asks anew."""

DROP_SECONDS = 3


class Failed(Exception):
    """The command did; the words are Podman's."""


def is_local(environment: Mapping[str, str]) -> bool:
    """Whether Podman is this machine's and found by itself, so that the podman command needs no address."""
    named = environment.get("CONTAINER_HOST") or environment.get("CONTAINER_CONNECTION")
    return not named and sys.platform == "linux"


class Listing:
    """The command, begun or not."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0

    def begin(self) -> "subprocess.Popen[bytes]":
        """Begin to ask. OSError where there is no podman."""
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
        """One object for each container that there is, or was when it was begun; the next answer is a new one. Failed, OSError."""
        if time.monotonic() - self._begun > FRESH_SECONDS:
            self.drop()
        process, self._process = self._process or self.begin(), None
        out, err = process.communicate()
        if process.returncode:
            raise Failed(err.decode("utf-8", "replace"))
        found: list[dict[str, Any]] = json.loads(out or b"[]") or []
        return found

    def drop(self) -> None:
        """What has been begun is not wanted any more. It is let finish: a user's first podman since boot, ended half-way, hangs for ever."""
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
