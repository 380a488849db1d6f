"""The root directory of a running container, through /proc: its files are read without a new process."""

import os

MOST = 4_000_000
PODMANS_OWN = frozenset({b"/run/.containerenv", b"/etc/hostname", b"/etc/hosts", b"/etc/resolv.conf"})


def open_root(container_id: str, pid: int) -> int | None:
    """Open the root directory of a container by its first process; None where that is not possible.

    The number of a process may have been given to another one since Podman was asked, and clocks jump. So the
    process is pinned first (a descriptor of /proc/PID is of that process alone), and then has to show that it
    is the container's: its mount table has the files that Podman binds over every container's own, from a
    directory named by the container's id (proc(5), mountinfo). No process inside can mount. An ordinary user
    may read it: rootless, he owns the user namespace the process is in (ptrace(2)).
    """
    try:
        process = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _is_of(process, container_id):
            return None
        return os.open("root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=process)
    except OSError:
        return None
    finally:
        os.close(process)


def _is_of(process: int, container_id: str) -> bool:
    table = os.open("mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    with os.fdopen(table, "rb") as lines:
        mounts = [line.split(b" ", 5) for line in lines.read(MOST).splitlines()]
    mark = f"/{container_id}/userdata/".encode()
    return bool(container_id) and any(len(m) > 5 and m[4] in PODMANS_OWN and mark in m[3] for m in mounts)
