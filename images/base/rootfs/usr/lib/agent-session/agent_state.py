"""For an agent's `state`: what runs in the first pane, and a loop that sleeps until something changes (docs/agents.md).

It lives as long as the session, so it imports little: the whole process has some 6 MB.
"""

import ctypes
import os
import select
import struct
import sys
import time
from _json import encode_basestring_ascii  # json itself brings re, and 2 MB

RUN = "/run/agent-session"
LONGEST_REASON = 4000
IN_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK
# Written and closed, changed, come, gone, moved here, moved away.
IN_CHANGES = 0x8 | 0x2 | 0x100 | 0x200 | 0x80 | 0x40

State = dict


class Pane:
    """The session's first pane: its process, the status its agent ended with (None while it runs), and whether it was killed too often."""

    def __init__(self, pid: int, status: int | None, crashed: bool = False) -> None:
        self.pid = pid
        self.status = status
        self.crashed = crashed

    def end(self) -> State:
        """The state of an agent that has ended."""
        if self.crashed:
            return {
                "value": "failed",
                "reason": f"it was killed again and again (status {self.status})",
                "source": "pane",
            }
        return {"value": "exited", "reason": f"it ended with status {self.status}", "source": "pane"}


def pane() -> Pane | None:
    """The first pane, None before there is one."""
    try:
        with open(f"{RUN}/agent") as file:
            words = file.read(100).split()
        return Pane(int(words[1]), int(words[2]) if words[0] != "running" else None, words[0] == "crashed")
    except (OSError, ValueError, IndexError):
        return None


def command() -> bool:
    """Whether the first pane runs an agent, not only a shell."""
    return os.path.exists(f"{RUN}/commanded")


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, [] for a process that is gone: state, parent, group, session, tty, foreground group..."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2].split()
    except OSError:
        return []


def started(pid: int) -> str:
    """When it started, in clock ticks as /proc tells them; "" for one that is gone or dead."""
    fields = stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def name(pid: int) -> str:
    """A process's name."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def foreground(shell: int) -> int | None:
    """The leader of the group in front on a process's terminal; None where there is none."""
    fields = stat(shell)
    front = int(fields[5]) if fields else -1
    return front if front > 0 else None


def children(pid: int) -> list[int]:
    """Its child processes."""
    return [
        int(other) for other in os.listdir("/proc") if other.isdigit() and stat(int(other))[1:2] == [str(pid)]
    ]


def is_below(pid: int, ancestor: int) -> bool:
    """Whether a process is another's descendant."""
    while pid > 1 and pid != ancestor:
        fields = stat(pid)
        pid = int(fields[1]) if fields else 0
    return pid == ancestor


def utc(seconds: float) -> str:
    """A time as states tell it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def container_start() -> float:
    """When the container's first process began, by today's clock."""
    try:
        with open("/proc/uptime") as file:
            up = float(file.read().split()[0])
        return time.time() - up + int(started(1)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0


def main(read, *, paths=lambda: (), pids=lambda: (), files=lambda: (), seconds=lambda: None) -> None:
    """Print the state once, or with --follow at each change.

    read() is the state now; without "since" it began when it was first seen. It is asked again when one of paths() (files, or directories
    for all that is in them, there or not yet) changes, a process of pids() ends, one of files() (a socket, say) can be read, seconds() have
    passed (if not None), or the pane changes.
    """
    if sys.argv[1:] not in ([], ["--follow"]):
        sys.exit("usage: state [--follow]")
    last: State = {}
    began = utc(container_start())
    watch = Watch()
    while True:
        watch.renew([f"{RUN}/agent", *paths()])  # before reading, or a change in between would be missed
        state = read()
        while watch.renew([f"{RUN}/agent", *paths()]):  # what was read told of another file
            state = read()
        state.setdefault("reason", "")
        state["reason"] = state["reason"][:LONGEST_REASON]
        same = (
            all(state.get(key) == last.get(key) for key in ("value", "reason", "question"))
            and "since" not in state
        )
        state.setdefault(
            "since", last.get("since") if state["value"] == last.get("value") else utc(time.time())
        )
        state["since"] = max(state["since"], began)  # an agent may remember a turn of before
        if not same and state != last:
            print(dumps(state), flush=True)
            last = state
        if len(sys.argv) == 1:
            return
        watch.wait(pids(), seconds(), files())


def dumps(value) -> str:
    """JSON of dicts, lists, texts and whole numbers, without the module."""
    if type(value) is int:
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dumps(key)}: {dumps(item)}" for key, item in value.items()) + "}"
    return (
        "[" + ", ".join(map(dumps, value)) + "]"
        if isinstance(value, (list, tuple))
        else encode_basestring_ascii(str(value))
    )


class Watch:
    """Waits for changes of files and the end of processes."""

    def __init__(self) -> None:
        self.libc = ctypes.CDLL(None)
        self.inotify = self.libc.inotify_init1(IN_CLOEXEC_NONBLOCK)
        self.wanted = {}

    def renew(self, paths) -> bool:
        """Watch these from now on; of what is not there, the nearest directory that is. Whether that is anything else than before."""
        wanted = {}
        for path in paths:
            folder, entry = (path, None) if os.path.isdir(path) else os.path.split(path)
            while not os.path.isdir(folder):
                folder, entry = os.path.split(folder)
            number = self.libc.inotify_add_watch(self.inotify, os.fsencode(folder), IN_CHANGES)
            names = wanted.setdefault(number, set())
            names.add(entry)
        for number in self.wanted.keys() - wanted.keys():
            self.libc.inotify_rm_watch(self.inotify, number)
        changed, self.wanted = wanted != self.wanted, wanted
        return changed

    def wait(self, pids, seconds, files=()) -> None:
        """Return when something happened, or after so many seconds."""
        opened = []
        for pid in pids:
            try:
                opened.append(os.pidfd_open(pid))
            except OSError:
                return
        end = None if seconds is None else time.monotonic() + seconds
        try:
            while True:
                left = None if end is None else max(0, end - time.monotonic())
                ready = select.select([self.inotify, *opened, *files], [], [], left)[0]
                if not ready or set(ready) - {self.inotify} or self._concerns():
                    return
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _concerns(self) -> bool:
        concerns = False
        while True:
            try:
                data = os.read(self.inotify, 65536)
            except BlockingIOError:
                return concerns
            while data:
                number, _, _, length = struct.unpack_from("iIII", data)
                entry = os.fsdecode(data[16 : 16 + length].rstrip(b"\0"))
                names = self.wanted.get(number, {None})
                concerns = concerns or None in names or entry in names or not entry
                data = data[16 + length :]
