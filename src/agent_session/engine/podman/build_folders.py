"""Directories for the temporary files of builds, each held as long as somebody works in it, so that a dead build's is known.

Temporary files are Podman's wherever TMPDIR is; a service of our own gets a directory of its own for them.
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
"""As root of Podman's namespace, for files of other users in it; a mount there would have files that are not the build's."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A directory for one build's temporary files, held as long as anybody lives who works in it: the service inherits `held`."""

    path: Path
    held: int

    def remove(self, podman: str) -> None:
        """The build has ended, and nobody works in it any more."""
        remove(self.path, podman)
        with contextlib.suppress(OSError):
            os.close(self.held)


def folder(environment: Mapping[str, str]) -> Folder | None:
    """A new one, where Podman's temporary files would be anyway; None where there can be none.

    Without XDG_RUNTIME_DIR, Podman may look for its running containers below TMPDIR: then that must stay what it is.
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
    """Those of owners that were killed, in which nobody works any more."""
    return sorted(path for path in _orphans(environment) if not is_held(path))


def await_dying(environment: Mapping[str, str]) -> None:
    """The service of a build that was killed makes containers for a moment more: wait until it has ended, for some seconds at most."""
    deadline = time.monotonic() + DYING_SECONDS
    while any(map(is_held, _orphans(environment))) and time.monotonic() < deadline:
        time.sleep(0.02)


def _orphans(environment: Mapping[str, str]) -> list[Path]:
    """Those whose owners are no more; a folder that begins is not held yet, so their number counts."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(_place(environment)):
            owner = re.fullmatch(rf"{FOLDER}-{os.geteuid()}-(\d+)-\w+", entry.name)
            theirs = not entry.is_dir(follow_symlinks=False) or entry.stat().st_uid != os.geteuid()
            if owner and not theirs and not Path("/proc", owner[1]).exists():
                found.append(Path(entry.path))
    return found


def remove(path: Path, podman: str) -> None:
    """Remove such a directory; what another user in Podman's namespace has made there needs Podman."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists() and os.geteuid() != 0:
        subprocess.run(
            [podman, "unshare", "sh", "-c", CLEAR, path, path.name], capture_output=True, check=False
        )


def _place(environment: Mapping[str, str]) -> str:
    return environment.get("TMPDIR") or "/var/tmp"  # Podman's own; /tmp may be memory
