"""The address of Podman: a socket that is served, or a short-lived service of our own.

Order: CONTAINER_HOST; a `podman system connection` where podman itself would use one (CONTAINER_CONNECTION,
or any system but Linux, where Podman lives in a virtual machine); the user's socket; and where none is served
(no systemd), our own `podman system service`, which ends with us, and by itself when we are killed.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from agent_session.engine.podman import program, troubleshooting
from agent_session.host import paths

if TYPE_CHECKING:
    from agent_session.engine.podman import build_folders

IDLE_SECONDS = 600
BOOT_SECONDS = 20
STOP_SECONDS = 10
LIVES = '[ "$PPID" = "$0" ] && exec "$@"'
"""Become a command if our parent, whose number is $0, is still there: PR_SET_PDEATHSIG does not report a
parent that ended before."""


@dataclass(kw_only=True)
class Service:
    """An address of Podman's API.

    `given` is set where the user named it: then the podman command needs it as well.
    """

    url: str
    given: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    log: "IO[bytes] | None" = None

    @property
    def ended(self) -> bool:
        """Whether our own service has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def notice_end(self) -> None:
        """After a missing answer, wait until a service that died can be seen to have ended.

        Its connection ends a moment earlier.
        """
        if self.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=1)

    def wait(self) -> None:
        """Wait until our own service answers. Raises EngineUnavailable (EngineRefused) if it never does."""
        deadline = time.monotonic() + BOOT_SECONDS
        while self.log and not _answers(self.url.removeprefix("unix://")):
            if self.ended or time.monotonic() > deadline:
                error = troubleshooting.explain(_tail(self.log), "starting Podman's service")
                self.close()
                raise error
            time.sleep(0.003)
        self._forget_log()

    def _forget_log(self) -> None:
        if self.log:
            self.log.close()
            self.log = None

    def close(self, *, with_its_work: bool = False) -> None:
        """End the service if it is our own. Containers live on, as they belong to their monitors.

        `with_its_work` also ends a build's step.
        """
        if self.process:
            children = _descendants(self.process.pid) if with_its_work else []
            self.process.terminate()
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # It hangs in a request. Doctor reports that, and must not hang itself.
                self.process.kill()
            for child in children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(child, signal.SIGKILL)
            Path(self.url.removeprefix("unix://")).unlink(missing_ok=True)
            self.process = None
        self._forget_log()


def _descendants(parent: int) -> list[int]:
    """List the processes that a process has begun, and their descendants."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(file.parent.name)] = int(
                file.read_text(errors="replace").rpartition(")")[2].split()[1]
            )
    found = [parent]
    for one in found:
        found += [pid for pid, its_parent in parents.items() if its_parent == one]
    return found[1:]


def user_name() -> str:
    """This user's name in the system's database. Raises KeyError where it has none."""
    return pwd.getpwuid(os.geteuid()).pw_name


def has_subordinate_ids() -> bool:
    """Whether this user has ranges in /etc/subuid and /etc/subgid, or another source is configured."""
    try:
        if re.search(r"^subid:", Path("/etc/nsswitch.conf").read_text(encoding="utf-8"), re.MULTILINE):
            return True
    except OSError:
        pass
    try:
        me = {user_name(), str(os.geteuid())}
        owners = [
            {line.split(":")[0] for line in Path(file).read_text(encoding="utf-8").splitlines()}
            for file in ("/etc/subuid", "/etc/subgid")
        ]
    except (OSError, KeyError):
        return False
    return all(me & names for names in owners)


def connect(environment: Mapping[str, str], folder: "build_folders.Folder | None" = None) -> Service:
    """Find or start a service that answers, or that does after `wait`. Raises EngineUnavailable.

    One of our own ends with the thread that calls this: the kernel ties it to that, not to the process. Its
    temporary files are in `folder`, if that is given.
    """
    if url := environment.get("CONTAINER_HOST"):
        # Asked here, as the bindings would try for 3 s.
        if url.startswith("unix://") and not _answers(url.removeprefix("unix://")):
            raise troubleshooting.unreachable(url, "no process answers there", environment)
        return Service(url=url, given=True)
    if environment.get("CONTAINER_CONNECTION") or sys.platform != "linux":
        return Service(url=_connection(environment.get("CONTAINER_CONNECTION")), given=True)
    for path in _sockets():
        if _answers(path):
            return Service(url=f"unix://{path}")
    return _own_service(folder)


def _sockets() -> list[str]:
    if os.geteuid() == 0:
        return ["/run/podman/podman.sock"]
    return [f"{paths.runtime_base()}/podman/podman.sock"]


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _connection(name: str | None) -> str:
    listing = subprocess.run(
        [program.podman(), "system", "connection", "list", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        connections = json.loads(listing.stdout or "[]")
    except ValueError:
        connections = []
    for connection in connections:
        if connection.get("Name") == name or (not name and connection.get("Default")):
            return str(connection["URI"])
    raise troubleshooting.explain(
        listing.stderr or "cannot connect to Podman: no connection is defined",
        "asking Podman for its connections",
    )


def _own_service(folder: "build_folders.Folder | None") -> Service:
    command = program.podman()
    path = _socket_path()
    if os.geteuid() != 0 and not Path(paths.runtime_base(), "libpod", "tmp", "pause.pid").exists():
        # A user's first podman since boot forks, to make the namespace that all others join. A service in
        # that fork outlives its parent and any SIGTERM (seen with 4.3.1), so something else has to be the
        # first.
        with contextlib.suppress(subprocess.TimeoutExpired):  # the service will say why
            subprocess.run(
                [command, "unshare", "true"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=BOOT_SECONDS,
            )
    # Its own idle timer would end it while a build compiles for minutes: it lives as long as we do, kill -9
    # included.
    setpriv = shutil.which("setpriv")
    leash = [setpriv, "--pdeathsig", "TERM", "sh", "-c", LIVES, str(os.getpid())] if setpriv else []
    log = tempfile.TemporaryFile()  # noqa: SIM115 (it is open until the service answers)
    try:
        process = subprocess.Popen(
            [
                *leash,
                command,
                "system",
                "service",
                f"--time={0 if leash else IDLE_SECONDS}",
                f"unix://{path}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(folder.path)} if folder else None,
            pass_fds=(folder.held,) if folder else (),
            start_new_session=True,  # Ctrl-C is for us; what is under way is ended in order
        )
    except BaseException:
        log.close()
        raise
    return Service(url=f"unix://{path}", process=process, log=log)


def _socket_path() -> Path:
    name = f"podman-{os.getpid()}-{os.urandom(2).hex()}.sock"
    folder = paths.runtime_folder()
    _forget_dead(folder)
    path = folder / name
    if len(str(path)) > 100:  # a socket's path ends at 108 bytes
        path = Path(tempfile.gettempdir()) / f"agent-session-{os.geteuid()}-{name}"
    path.unlink(missing_ok=True)
    return path


def _forget_dead(folder: Path) -> None:
    """Remove sockets of commands that are no more: a service that is ended while it begins leaves its own."""
    for entry in os.scandir(folder):
        owner = re.fullmatch(r"podman-(\d+)-[0-9a-f]+\.sock", entry.name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):  # noqa: PTH110 (a loop before every service)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.path)  # noqa: PTH108


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode("utf-8", "replace")[-2000:]
