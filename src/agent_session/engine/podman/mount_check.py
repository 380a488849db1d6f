"""Checks what a container has mounted, when its mounts exist and no process of it runs yet.

Podman mounts by path, some tenths of a second after we looked at that path, and follows links. Whoever can
write into a directory on the way (the agent of another session, or of this one before its restart) may have
put a link there meanwhile. The kernel says what really is mounted (proc(5), mountinfo): each mount's root, as
a path in its file system, which no link is part of. That must be where the source lies now, by a way without
links; and the mount point must be where it was planned. As every planned mount is one line of the table, none
of them can be elsewhere if each is found at its place.
"""

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 16_000_000
DEVICES = frozenset(
    b"console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()
)
"""The names in /dev of every container."""
ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, kw_only=True)
class Bind:
    """A directory or file of the host and its place in a container.

    Both are bytes: the kernel's names need not be text.
    """

    source: bytes
    target: bytes


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of mountinfo: which part of which file system (`device`, "8:1"; `root`) is mounted where."""

    number: bytes
    device: bytes
    root: bytes
    point: bytes


def moved(binds: Iterable[Bind], pid: int) -> list[Bind]:
    """Select the binds that are not what the process `pid` has at their targets.

    Raises OSError where that cannot be read.
    """
    there = {(line.point, line.device, line.root) for line in _table(f"/proc/{pid}/mountinfo")}
    here = {line.number: line for line in _table("/proc/self/mountinfo")}
    return [bind for bind in binds if not _is_at_its_place(bind, there, here)]


def added(targets: Iterable[bytes], pid: int) -> list[bytes]:
    """Select the mount points of a process that are neither the targets' (or below) nor Podman's own.

    A device of this machine is one of them, or for root a name in /dev. Raises OSError where that cannot be
    read.
    """
    known = (*targets, *(b"/dev/" + name for name in DEVICES), b"/proc", b"/sys")
    points = [
        line.point
        for line in _table(f"/proc/{pid}/mountinfo")
        if line.point not in {b"/", b"/dev"}
        and b"/userdata/" not in line.root
        and not any(line.point == top or line.point.startswith(top + b"/") for top in known)
    ]
    if os.geteuid() == 0:
        names = set(os.listdir(f"/proc/{pid}/root/dev".encode())) - DEVICES  # noqa: PTH208
        points += [b"/dev/" + name for name in sorted(names) if b"/dev/" + name not in {*points, *targets}]
    return points


def led_elsewhere(binds: Iterable[Bind]) -> list[Bind]:
    """Those of the binds whose source is not reached without a link, or is gone."""
    here = {line.number: line for line in _table("/proc/self/mountinfo")}
    return [bind for bind in binds if _place(bind.source, here) is None]


def _is_at_its_place(bind: Bind, there: set[tuple[bytes, bytes, bytes]], here: dict[bytes, Line]) -> bool:
    place = _place(bind.source, here)
    return place is not None and (bind.target, *place) in there


def _place(source: bytes, here: dict[bytes, Line]) -> tuple[bytes, bytes] | None:
    """The file system a path is in, and where there; None where a link is on the way, or nothing is there."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(source, flags)
    except OSError:
        return None
    try:
        if stat.S_ISLNK(os.fstat(descriptor).st_mode):
            return None
        if os.readlink(f"/proc/self/fd/{descriptor}".encode()) != source:  # noqa: PTH115 (bytes)
            return None
        mount = here.get(_mount_number(descriptor))
    finally:
        os.close(descriptor)
    if mount is None:
        return None
    below = source[len(mount.point.rstrip(b"/")) :]
    return mount.device, mount.root.rstrip(b"/") + below or b"/"


def _mount_number(descriptor: int) -> bytes:
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:  # noqa: PTH123 (next to os.open)
        return next((line.split()[1] for line in file if line.startswith(b"mnt_id:")), b"")


def _table(path: str) -> list[Line]:
    with open(path, "rb") as file:  # noqa: PTH123
        lines = [line.split(b" ", 5) for line in file.read(MOST).splitlines()]
    return [
        Line(number=number, device=device, root=_unescaped(root), point=_unescaped(point))
        for number, _, device, root, point, *_ in lines
    ]


def _unescaped(field: bytes) -> bytes:
    return ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), field)
