"""Directories in which a rootless engine can make no mount, found before anything is made.

Root in a rootless container is not the user: it enters a directory if others may, or if owner and group of
the directory are known in the container's user namespace, as the user's own and the subordinate ids are. An
access control list of the user does not help it.
"""

import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from agent_session.engine.container import Mount
from agent_session.errors import Hint
from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.projects import Project

FIRST_SUBORDINATE = 65536
"""Subordinate ids are above all that accounts have."""


def check(projects: Iterable[Project], mounts: Iterable[Mount]) -> None:
    """Raise ProjectRefused for a directory on the way to a mount that the engine cannot enter."""
    targets = [mount.target for mount in mounts]
    for project in projects:
        below = [target.relative_to(project.target) for target in targets if project.target in target.parents]
        for path in sorted({project.source / parent for place in below for parent in place.parents}):
            if not _can_be_entered(path):
                raise _refused(path)


def _can_be_entered(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return True  # the engine says what it is
    known = found.st_uid == os.geteuid() or found.st_uid >= FIRST_SUBORDINATE
    known &= found.st_gid == os.getegid() or found.st_gid >= FIRST_SUBORDINATE
    return known or bool(found.st_mode & stat.S_IXOTH)


def _refused(path: Path) -> ProjectRefused:
    found = path.stat()
    mine = found.st_uid == os.geteuid()
    command = f"chmod o+x {shlex.quote(str(path))}"
    return ProjectRefused(
        path,
        f"what this machine could run in it cannot be kept from the agent: others may not enter it, and its "
        f"{'group' if mine else 'owner or group'} is not yours inside a container",
        hint=Hint(shell=command if mine else f"sudo {command}"),
    )
