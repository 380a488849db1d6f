"""Directories for the temporary files of builds, each locked until its build and service have ended.

So the directory of a dead build can be recognised. Podman puts temporary files where TMPDIR points; a service
of our own gets a directory of its own for them.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_session.host.lock import is_held

FOLDER = "agent-session-build"
DYING_SECONDS = 10
CLEAR = 'grep -qF "/$1/" /proc/self/mountinfo || rm -rf "$0"'
"""As root of Podman's namespace, for files of other users in it; a mount there would have files that are not
the build's."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A directory for one build's temporary files, locked as long as a process works in it.

    `held` is the descriptor with the lock; the service inherits it.
    """

    path: Path
    held: int

    def remove(self, podman: str) -> None:
        """Remove it after the build, when no process works in it any more."""
        remove(self.path, podman)
        with contextlib.suppress(OSError):
            os.close(self.held)


def folder(environment: Mapping[str, str]) -> Folder | None:
    """Make a directory where Podman's temporary files would be anyway; None where there can be none.

    Without XDG_RUNTIME_DIR, Podman may look for its running containers below TMPDIR: then that must stay what
    it is.
    """
    if os.geteuid() != 0 and not environment.get("XDG_RUNTIME_DIR"):
        return None
    try:
        path = tempfile.mkdtemp(prefix=f"{FOLDER}-{os.geteuid()}-{os.getpid()}-", dir=_place(environment))
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    fcntl.flock(held, fcntl.LOCK_EX)
    return Folder(path=Path(path), held=held)


def dead_folders(environment: Mapping[str, str]) -> list[Path]:
    """List the directories of killed builds in which no process works any more."""
    return sorted(path for path in _orphans(environment) if not is_held(path))


def await_dying(environment: Mapping[str, str]) -> None:
    """Wait, for some seconds at most, until the services of killed builds have ended.

    Such a service makes containers for a moment more.
    """
    deadline = time.monotonic() + DYING_SECONDS
    while any(map(is_held, _orphans(environment))) and time.monotonic() < deadline:
        time.sleep(0.02)


def _orphans(environment: Mapping[str, str]) -> list[Path]:
    """List directories whose owners have ended; a new one is not locked yet, so the number in it counts."""
    orphans = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(_place(environment)):
            owner = re.fullmatch(rf"{FOLDER}-{os.geteuid()}-(\d+)-\w+", entry.name)
            theirs = not entry.is_dir(follow_symlinks=False) or entry.stat().st_uid != os.geteuid()
            if owner and not theirs and not Path("/proc", owner[1]).exists():
                orphans.append(Path(entry.path))
    return orphans


def remove(path: Path, podman: str) -> None:
    """Remove such a directory; files of other users in Podman's namespace need Podman for that."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists() and os.geteuid() != 0:
        subprocess.run(
            [podman, "unshare", "sh", "-c", CLEAR, path, path.name], capture_output=True, check=False
        )


def _place(environment: Mapping[str, str]) -> str:
    return environment.get("TMPDIR") or "/var/tmp"  # Podman's own; /tmp may be memory
