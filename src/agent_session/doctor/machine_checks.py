"""Checks of this machine without Podman: each function looks at one thing and yields findings."""

import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from agent_session.doctor.findings import FIX, Check, Finding, Level
from agent_session.engine.podman import service, troubleshooting
from agent_session.errors import Hint
from agent_session.host import git_identity, paths
from agent_session.host.lock import is_held
from agent_session.sessions import lent_agent

SYSTEMD = Path("/run/systemd/system")
LINGER = Path("/var/lib/systemd/linger")
TUN = Path("/dev/net/tun")
FUSE = Path("/dev/fuse")
ADMINISTRATORS = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where such programs are; Podman looks there, and an ordinary user's PATH does not."""
OLDEST_PYTHON = (3, 11)
CLOCK = Hint(shell="sudo timedatectl set-ntp true")
LINGERING = Hint(shell="loginctl enable-linger")
FULL, SCARCE = 100 << 20, 2 << 30
"""Bytes: with less than the first nothing can be written, an image takes about the second."""
FEW_INODES = 1_000, 20_000
LONG_WORK = 3600.0
"""Seconds; a first build, which compiles, takes a quarter of that."""


def checks(environment: Mapping[str, str], *, remote: bool) -> dict[str, Check]:
    """What can be looked at, by subject; `remote`: containers run on another machine, or in a virtual one."""
    found: dict[str, Check] = {
        "python": python,
        "clock": clock,
        "home": partial(space, "home", Path.home(), vital=False),
        "runtime directory": partial(runtime, environment),
        "locks": locks,
        "sockets": sockets,
        "ssh-agent": partial(ssh_agent, environment),
    }
    if not remote and sys.platform == "linux":
        found["firewall"] = partial(firewall, environment, rootful=os.geteuid() == 0)
    if not remote and os.geteuid() != 0:
        found |= {"subordinate ids": subordinate_ids, "devices": devices, "lingering": lingering}
    return found


def python() -> Iterator[Finding]:
    """The Python that runs this."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        yield Finding(level="ok", subject="python", words=platform.python_version())
        return
    needed = ".".join(map(str, OLDEST_PYTHON))
    words = f"Python {platform.python_version()} is too old; {needed} or newer is needed"
    yield Finding(
        level="error",
        subject="python",
        words=words,
        cures=(Hint(shell="sudo apt-get install python3"),),
        code=3,
    )


def clock() -> Iterator[Finding]:
    """A clock that lags behind the files of this program makes every certificate invalid."""
    written = Path(__file__).stat().st_mtime
    now = time.time()
    if now > written - 86400:
        yield Finding(
            level="ok", subject="clock", words=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
        )
        return
    words = (
        f"it says {datetime.fromtimestamp(now, UTC):%Y-%m-%d}, before agent-session was "
        f"installed: no certificate will be valid"
    )
    yield Finding(level="warning", subject="clock", words=words, cures=(CLOCK,))


def space(subject: str, folder: Path, *, vital: bool = True) -> Iterator[Finding]:
    """Check that a file system has free bytes and inodes and can be written.

    A session starts without what is not vital.
    """
    level: Level = "error" if vital else "warning"
    there = next(path for path in (folder, *folder.parents) if path.exists())
    found = os.statvfs(there)
    free, inodes = found.f_bavail * found.f_frsize, found.f_favail
    counted = found.f_files > 0  # some file systems make inodes as they need them
    left = f"{_size(free)} and {inodes} inodes left" if counted else f"{_size(free)} left"
    full = troubleshooting.FULL
    if not os.access(there, os.W_OK):
        look = Hint(shell=f"ls -ld {shlex.quote(str(there))}; findmnt -T {shlex.quote(str(there))}")
        words = f"{there} cannot be written"
        yield Finding(level=level, subject=subject, words=words, cures=(look,), code=3)
    elif free < FULL or (counted and inodes < FEW_INODES[0]):
        words = f"{full.cause}: {left} for {folder}"
        yield Finding(level=level, subject=subject, words=words, cures=(full.cure,), code=7)
    elif free < SCARCE or (counted and inodes < FEW_INODES[1]):
        words = f"{left} for {folder}, too little to build an image"
        yield Finding(level="warning", subject=subject, words=words, cures=(full.cure,))
    else:
        yield Finding(level="ok", subject=subject, words=f"{folder}: {left}")


def runtime(environment: Mapping[str, str]) -> Iterator[Finding]:
    """The directory of locks and sockets, which Podman keeps its state in too."""
    subject, base = "runtime directory", Path(paths.runtime_base())
    paths.runtime_folder()  # raises what a start would
    wanted = environment.get("XDG_RUNTIME_DIR")
    proper = f"/run/user/{os.geteuid()}"
    if os.geteuid() != 0 and str(base) != (wanted or proper):
        words = f"{wanted or proper} is not there or cannot be written, so locks and sockets are in {base}"
        make = Hint(shell=f"sudo install -d -m 700 -o $USER {shlex.quote(wanted or proper)}")
        yield Finding(level="warning", subject=subject, words=words, cures=(LINGERING, make))
    elif os.geteuid() != 0 and base.stat().st_mode & 0o077:
        yield Finding(
            level="warning",
            subject=subject,
            words=f"{base} is open to others",
            cures=(Hint(shell=f"chmod 700 {shlex.quote(str(base))}"),),
        )
    else:
        yield Finding(level="ok", subject=subject, words=str(base))


def locks() -> Iterator[Finding]:
    """Look for locks that are held for hours: an owner that is stopped keeps all other commands waiting.

    A lock dies with its owner.
    """
    held = 0
    for file in sorted(paths.runtime_folder().glob("*.lock")):
        if not is_held(file):
            continue
        held += 1
        pid = file.read_text(errors="replace").strip() or "?"
        since = time.time() - file.stat().st_mtime
        if _state(pid) == "T":
            words, cure = f"process {pid} holds {file.name} and is suspended", f"kill -CONT {pid}"
        elif _state(pid) == "":
            words = f"{file.name} is held, but not by process {pid}, which is gone"
            cure = f"fuser -v {shlex.quote(str(file))}"
        elif since > LONG_WORK:
            words, cure = f"process {pid} has held {file.name} for {since / 60:.0f} minutes", f"kill {pid}"
        else:
            continue
        yield Finding(level="warning", subject="locks", words=words, cures=(Hint(shell=cure),))
    yield Finding(level="ok", subject="locks", words=f"{held} held" if held else "none held")


def sockets() -> Iterator[Finding]:
    """Sockets of our own Podman services whose commands were killed: nothing answers there any more."""
    dead = [
        file
        for file in paths.runtime_folder().glob("podman-*-*.sock")
        if not Path("/proc", file.name.split("-")[1]).exists()
    ]
    if not dead or sys.platform != "linux":
        yield Finding(level="ok", subject="sockets", words="none left behind")
        return

    def remove() -> str:
        for file in dead:
            file.unlink(missing_ok=True)
        return f"removed {len(dead)} dead sockets"

    words = f"{len(dead)} left behind by commands that were killed"
    yield Finding(level="warning", subject="sockets", words=words, cures=(FIX,), repair=remove)


def ssh_agent(environment: Mapping[str, str]) -> Iterator[Finding]:
    """The ssh-agent of this login, which sessions with --ssh-agent and clones of ssh:// URLs use."""
    subject, named = "ssh-agent", environment.get("SSH_AUTH_SOCK", "")
    anew = Hint(shell='eval "$(ssh-agent)" && ssh-add')
    if not named:
        words = "none runs in this login, so --ssh-agent has none to lend"
        yield Finding(level="ok", subject=subject, words=words, cures=(anew,))
    elif git_identity.agent_socket(environment) == git_identity.NO_AGENT:
        words = f"SSH_AUTH_SOCK names {named}, where no socket is: it is that of a login that has ended"
        yield Finding(level="warning", subject=subject, words=words, cures=(anew,))
    elif not lent_agent.answers(Path(named)):
        words = f"nothing answers at {named} (SSH_AUTH_SOCK): that ssh-agent has ended"
        yield Finding(level="warning", subject=subject, words=words, cures=(anew,))
    else:
        yield Finding(level="ok", subject=subject, words="it answers; start --ssh-agent lends it")


def subordinate_ids() -> Iterator[Finding]:
    """What rootless Podman maps users with."""
    row = troubleshooting.SUBORDINATE_IDS
    lacking = [name for name in ("newuidmap", "newgidmap") if not shutil.which(name)]
    if lacking or not service.has_subordinate_ids():
        words = f"{row.cause}{': no ' + lacking[0] if lacking else ''}"
        yield Finding(level="error", subject="subordinate ids", words=words, cures=(row.cure,), code=6)
    else:
        yield Finding(
            level="ok", subject="subordinate ids", words="newuidmap, newgidmap and ranges are there"
        )


def devices() -> Iterator[Finding]:
    """/dev/net/tun for rootless networks; /dev/fuse where the kernel's own overlay will not do."""
    if why := _refusal(TUN):
        row = troubleshooting.NETWORK
        yield Finding(
            level="error", subject="devices", words=f"{TUN}: {why}: {row.cause}", cures=(row.cure,), code=6
        )
    if why := _refusal(FUSE):
        words = f"{FUSE}: {why}; only needed where the kernel has no overlay for users of its own"
        yield Finding(
            level="warning", subject="devices", words=words, cures=(Hint(shell=f"sudo chmod 666 {FUSE}"),)
        )
    if not _refusal(TUN) and not _refusal(FUSE):
        yield Finding(level="ok", subject="devices", words=f"{TUN} and {FUSE} can be opened")


def firewall(environment: Mapping[str, str], *, rootful: bool) -> Iterator[Finding]:
    """Check for a program that Podman's networks are made with.

    Root needs it for every session, an ordinary user for sessions with a server.
    """
    path = f"{environment.get('PATH', os.defpath)}:{ADMINISTRATORS}"
    if found := [name for name in ("iptables", "nft") if shutil.which(name, path=path)]:
        yield Finding(level="ok", subject="firewall", words=f"{' and '.join(found)} can be run")
        return
    row = troubleshooting.FIREWALL
    if rootful:
        yield Finding(level="error", subject="firewall", words=row.cause, cures=(row.cure,), code=7)
    else:
        words = f"{row.cause}: sessions whose agent is a server have no base_url"
        yield Finding(level="warning", subject="firewall", words=words, cures=(row.cure,))


def lingering() -> Iterator[Finding]:
    """Whether systemd ends this user's processes, sessions among them, at logout."""
    if not SYSTEMD.is_dir():
        yield Finding(
            level="ok", subject="lingering", words="no systemd here that would end sessions at logout"
        )
    elif (LINGER / service.user_name()).exists():
        yield Finding(level="ok", subject="lingering", words="on: sessions outlive a logout")
    else:
        words = "off: sessions end when you log out"
        yield Finding(level="warning", subject="lingering", words=words, cures=(LINGERING,))


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB" if count >= 1 << 30 else f"{count >> 20} MB"


def _state(pid: str) -> str:
    """A process's letter in /proc, "" if it is gone; where there is no /proc every one is taken to run."""
    if not Path("/proc/self/stat").exists():
        return "R"
    try:
        return Path("/proc", pid, "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _refusal(device: Path) -> str:
    """Why a device cannot be opened, "" where it can."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""
