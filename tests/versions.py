"""Several images of one agent of the user's own, built once a user: what a session can be moved between.

Building one takes seconds (its layers are copied for the session's user ids),
and building the next removes the one before: each is kept by another name meanwhile.
"""

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.storage import Storage

Write = Callable[[Path, str], None]
"""Makes an agent's folder what it is in one version."""


def build(storage: Storage, agent: str, versions: Sequence[str], write: Write) -> dict[str, str]:
    """Build all versions in the storage of the user who runs the tests; return the images by version."""
    storage.build("shell")  # the base, and the folder of this user's agents
    folder = storage.folder / "data" / "agent-session" / "agents" / agent
    built = {}
    with _one_at_a_time():
        for version in versions:
            write(folder, version)
            built[version] = storage.build(agent)
            _podman(storage, "tag", built[version], _kept(agent, version))
        for version in versions:
            _podman(storage, "tag", _kept(agent, version), built[version])
    return built


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Of the tests' processes, which would remove each other's images before they are kept."""
    with (Path(tempfile.gettempdir()) / f"agent-session-tests-{os.getuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _kept(agent: str, version: str) -> str:
    return f"localhost/agent-session-tests-{agent}:{version}"


def _podman(storage: Storage, *words: str | Path) -> None:
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(storage.folder / "storage.conf")}
    subprocess.run(["podman", "--log-level=error", *words], env=environment, check=True, capture_output=True)
