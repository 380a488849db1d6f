"""How a figure is got: commands in turn, a terminal's first screen, a process's memory."""

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SCREEN_SECONDS = 30


class Broken(Exception):
    """Something that was to be measured did not work; the words say what."""


@dataclass(kw_only=True)
class Samples:
    """What was measured, by name: seconds, or bytes."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.taken.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return statistics.median(self.taken[name])


def seconds(action: Callable[[], object]) -> float:
    """How long something takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def in_turn(runs: int, **actions: Callable[[], object]) -> Samples:
    """Each action once, then each again...: what else the machine does meets them all alike.

    The first round is not counted.
    """
    samples = Samples()
    for run in range(runs + 1):
        for name, action in actions.items():
            taken = seconds(action)
            if run:
                samples.add(name, taken)
    return samples


def command(
    words: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    stdin: bytes = b"",
    cwd: Path | None = None,
) -> str:
    """A command's output; Broken where it fails."""
    done = subprocess.run(words, env=environment, cwd=cwd, input=stdin, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise Broken(f"{' '.join(map(str, words))[:200]} ended with {done.returncode}: {said}")
    return done.stdout.decode(errors="replace")


def on_terminal(words: Sequence[str | Path], environment: Mapping[str, str], *, wanted: bytes) -> float:
    """Seconds from a command's start on a terminal to its end;
    what it writes must have the wanted words in it.
    """
    begun = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(words[0], [str(word) for word in words], dict(environment))
    seen = b""
    while True:
        try:
            more = os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not more:
            break
        seen += more
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    taken = time.perf_counter() - begun
    if status or wanted not in seen:
        raise Broken(f"{' '.join(map(str, words))[:200]} on a terminal: {seen[-500:]!r}")
    return taken


def first_screen(
    words: Sequence[str | Path],
    environment: Mapping[str, str],
    mark: bytes,
    *,
    leave: bytes = b"\x11",
    cwd: Path | None = None,
) -> float:
    """Seconds until a command has written the mark on its terminal,
    which is then left (by Ctrl q) and waited for.
    """
    begun = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd or ".")
        os.execvpe(words[0], [str(word) for word in words], dict(environment))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        shown, seen = _shown(terminal, mark)
        taken = time.perf_counter() - begun
        os.write(terminal, leave)
        ended = _drained(terminal)
    finally:
        os.kill(pid, signal.SIGHUP)
        os.close(terminal)
        os.waitpid(pid, 0)
    if not shown or not ended:
        trouble = "did not end" if shown else f"no screen, but {seen[-500:]!r}"
        raise Broken(f"{' '.join(map(str, words))[:200]}: {trouble}")
    return taken


def _shown(terminal: int, mark: bytes) -> tuple[bool, bytes]:
    """Whether the mark was written in time, and what was."""
    seen, deadline = b"", time.monotonic() + SCREEN_SECONDS
    while mark not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 1 << 16)
            except OSError:
                break
    return mark in seen, seen


def _drained(terminal: int) -> bool:
    """Until the other side of a terminal is closed."""
    deadline = time.monotonic() + SCREEN_SECONDS
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                if not os.read(terminal, 1 << 16):
                    return True
            except OSError:
                return True
    return False


MEMORY = """
import sys
from pathlib import Path
inside = {Path(f"/proc/{pid}/ns/pid").readlink() for pid in sys.argv[1].split()}
outside = set(sys.argv[2].split())
for folder in Path("/proc").glob("[0-9]*"):
    try:
        if folder.name not in outside and (folder / "ns" / "pid").readlink() not in inside:
            continue
        rollup = (folder / "smaps_rollup").read_text()
        words = (folder / "cmdline").read_bytes().split(bytes(1))
        pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        program = words[1].decode() if len(words) > 1 else "-"
        print(pss * 1024, (folder / "comm").read_text().strip(), program, sep="\\t")
    except (OSError, StopIteration):
        continue
"""
"""For `podman unshare`: root of our user namespace may look at all of a container's processes."""
