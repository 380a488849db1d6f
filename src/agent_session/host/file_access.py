"""Who may read and write a file: its mode and its ACL, to be given to the file that replaces it."""

import contextlib
import os
import stat
from typing import NamedTuple

from agent_session.host import nofollow

ACL = "system.posix_acl_access"


class Access(NamedTuple):
    """The mode, without execution and without writing by everybody, and the ACL as bytes, b"" for none."""

    mode: int
    acl: bytes


def of(folder: int, name: str) -> Access | None:
    """Return the access of a regular file in an opened directory; None for anything else."""
    try:
        opened = nofollow.open_file(folder, name)
    except OSError:
        return None
    try:
        mode = stat.S_IMODE(os.fstat(opened).st_mode) & 0o664 | 0o600
        acl = b""
        with contextlib.suppress(OSError, AttributeError):  # it has none, or this is no Linux
            acl = os.getxattr(opened, ACL)
        return Access(mode=mode, acl=acl)
    finally:
        os.close(opened)


def give(file: int, access: Access, *, executable: bool) -> None:
    """Give an opened file of one's own that access; who may read it may execute it, if it is executable."""
    os.fchmod(file, access.mode | (access.mode & 0o444) >> 2 if executable else access.mode)
    if access.acl:
        with contextlib.suppress(OSError):
            os.setxattr(file, ACL, access.acl)
