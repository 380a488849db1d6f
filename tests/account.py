"""An account that has nothing: a home, a runtime directory and a Podman storage of its own,
on the machine's images.

Podman keeps sessions per storage, so an account's are seen by nobody else,
and nobody else's can be harmed by a test.
Images are not copied: the storage of the user who runs the tests is an additional, read-only store of images.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from tests.storage import LAUNCHER, have_locks_of_its_own, link_what_is_the_machines, storage_configuration
from tests.terminal import Terminal
from tests.waiting import COMMAND_SECONDS, until

KEPT = (
    "PATH",
    "USER",
    "LOGNAME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Settings(TypedDict, total=False):
    """Of a window, as `window_of` has them."""

    cwd: Path | None
    env: Mapping[str, str] | None
    columns: int
    rows: int


class Account:
    """A user without a past. `home`, `runtime` and `folder` (of all that is its own) are directories that
    exist.
    """

    def __init__(self, images: Path | None, driver: str) -> None:
        # /var/tmp is a disk where /tmp may be memory; and the path is short, as sockets' paths must be.
        self.folder = Path(tempfile.mkdtemp(prefix="agent-session-", dir="/var/tmp")).resolve()
        self.home = self.folder / "home"
        self.runtime = self.folder / "run"
        self.storage = self.folder / "storage"
        self._terminals: list[Terminal] = []
        self._pids: dict[str, int] = {}
        for directory in (self.home, self.runtime):
            directory.mkdir(mode=0o700)
        link_what_is_the_machines(self.home / ".config", self.home / ".local" / "share")
        have_locks_of_its_own(self.home / ".config" / "containers")
        bin_ = self.home / ".local" / "bin"
        bin_.mkdir(parents=True)
        (bin_ / "agent-session").symlink_to(LAUNCHER)
        configuration = self.folder / "storage.conf"
        configuration.write_text(storage_configuration(self.storage, self.folder / "runroot", driver, images))
        self.environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "HOME": str(self.home),
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "CONTAINERS_STORAGE_CONF": str(configuration),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "TZ": "Europe/Vienna",
        }

    def project(self, name: str = "app", **files: str) -> Path:
        """A project directory; keywords are files' names (two underscores are a dot) and contents."""
        project = self.home / "projects" / name
        project.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (project / file.replace("__", ".")).write_text(content)
        return project

    @property
    def agents(self) -> Path:
        """The folder of the user's own agents, which need not exist."""
        return self.home / ".local" / "share" / "agent-session" / "agents"

    def agent(self, name: str, containerfile: str = "CMD []", yaml: str = "title: Test\n") -> Path:
        """An agent of the user's own; its Containerfile goes on from the base image."""
        folder = self.agents / name
        folder.mkdir(parents=True)
        (folder / "agent.yaml").write_text(yaml)
        (folder / "Containerfile").write_text(f"ARG BASE\nFROM ${{BASE}}\n{containerfile}\n")
        return folder

    def run(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        seconds: float = COMMAND_SECONDS,
    ) -> Done:
        """Run agent-session without a terminal, with nothing or a text on its standard input."""
        done = subprocess.run(
            [LAUNCHER, *arguments],
            cwd=cwd or self.home,
            env={**self.environment, **(env or {})},
            text=True,
            errors="replace",
            capture_output=True,
            timeout=seconds,
            check=False,
            **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def ok(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        seconds: float = COMMAND_SECONDS,
    ) -> str:
        """Run agent-session, which must succeed; returns its standard output."""
        done = self.run(*arguments, cwd=cwd, env=env, seconds=seconds)
        assert done.code == 0, f"agent-session {' '.join(map(str, arguments))}: {done}"
        return done.out

    def begin(
        self, *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """agent-session, running beside the test, in a process group of its own as under a shell."""
        return subprocess.Popen(
            [LAUNCHER, *arguments],
            cwd=cwd or self.home,
            env={**self.environment, **(env or {})},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def window(self, *command: str | Path, **settings: Unpack[Settings]) -> Terminal:
        """A terminal in which agent-session runs with these arguments;
        closed at the end of the test, if not before.
        """
        return self.window_of(LAUNCHER, *command, **settings)

    def window_of(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        columns: int = 80,
        rows: int = 24,
    ) -> Terminal:
        """A terminal with any command. Variables: `env -u` in the command takes one away."""
        # tmux says what its TERM is and that it has all colours; the variables of the test come after that.
        said = [f"{name}={value}" for name, value in (env or {}).items()]
        terminal = Terminal(
            [*(["env", *said] if said else []), *map(str, command)],
            environment=self.environment,
            cwd=cwd or self.home,
            folder=self.folder,
            columns=columns,
            rows=rows,
        )
        self._terminals.append(terminal)
        return terminal

    def podman(self, *arguments: str) -> str:
        """What the podman command answers on this account's storage; stripped."""
        done = self.podman_done(*arguments)
        assert done.code == 0, f"podman {' '.join(arguments)}: {done.err}"
        return done.out.strip()

    def podman_done(self, *arguments: str) -> Done:
        """The podman command, however it ends."""
        done = subprocess.run(
            ["podman", "--log-level=error", *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            text=True,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def inside(self, session: str, *command: str) -> str:
        """What a command prints in a session's container; stripped."""
        return self.podman("exec", f"agent_{session}", *command)

    def tell(self, session: str, line: str) -> None:
        """Type a line into the agent's pane, with nobody attached."""
        zellij = ("zellij", "--session", session, "action")
        self.inside(session, *zellij, "write-chars", "--pane-id", "terminal_0", line)
        self.inside(session, *zellij, "write", "--pane-id", "terminal_0", "13")

    def screen(self, session: str = "default") -> str:
        """What the agent's pane shows, whether somebody is attached or not."""
        return self.inside(
            session, "zellij", "--session", session, "action", "dump-screen", "--pane-id", "terminal_0"
        )

    def inspect(self, session: str = "default") -> dict[str, Any]:
        """`podman inspect` of a session's container."""
        found: dict[str, Any] = json.loads(self.podman("container", "inspect", f"agent_{session}"))[0]
        return found

    def state(self, session: str = "default") -> dict[str, Any]:
        """What a session's container keeps of its agent's state, read without a process that would take its
        time.
        """
        pid = self._pids.get(session) or self.inspect(session)["State"]["Pid"]
        try:
            kept = Path(f"/proc/{pid}/root/run/agent-session/state").read_text()
        except OSError:  # it is another container by now
            pid = self.inspect(session)["State"]["Pid"]
            kept = Path(f"/proc/{pid}/root/run/agent-session/state").read_text()
        self._pids[session] = pid
        state: dict[str, Any] = json.loads(kept)["state"]
        return state

    def sessions(self) -> dict[str, str]:
        """Names and statuses, as `ls --json` says."""
        return {session["name"]: session["status"] for session in json.loads(self.ok("ls", "--json"))}

    def containers(self) -> list[str]:
        """Names of all containers."""
        return self.podman("ps", "--all", "--format", "{{.Names}}").split()

    def images(self) -> list[str]:
        """The ids of images made in this account; those of the shared, read-only store are others'."""
        return self.podman("images", "--all", "--quiet", "--filter", "readonly=false").split()

    def volumes(self) -> list[str]:
        """Names of all volumes."""
        return self.podman("volume", "ls", "--quiet").split()

    def processes(self) -> dict[int, str]:
        """Processes on this machine (not in containers) that work for this account, and their names;
        a shell's `ps`, but by environment.
        """
        mark = f"XDG_RUNTIME_DIR={self.runtime}".encode()
        found = {}
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark in (directory / "environ").read_bytes().split(b"\0"):
                        found[int(directory.name)] = (directory / "comm").read_text().strip()
        return found

    def workers(self) -> dict[int, str]:
        """Of those, what should be gone when no command runs:
        not containers' monitors and networks, not Podman's namespace holder.
        """
        lasting = {
            "conmon",
            "slirp4netns",
            "pasta",
            "pasta.avx2",
            "catatonit",
            "pause",
            "rootlessport",
            "rootlessport-c",
            "exe",  # rootlessport's child, as Podman 4.3 calls it
            "aardvark-dns",
            "fuse-overlayfs",
        }
        paused = self.pause_pid()
        return {
            pid: name
            for pid, name in self.processes().items()
            if name not in lasting and pid != paused and "tmux" not in name
        }

    def wait_for(self, path: Path) -> None:
        """Until a path exists."""
        until(path.exists, str(path))

    def wait_for_rest(self) -> None:
        """Until no command works for this account any more."""
        until(
            lambda: not self.workers(),
            "nothing left behind by agent-session",
            told=self.workers,
        )

    def close_windows(self) -> None:
        """All of them, as when somebody logs out."""
        for terminal in self._terminals:
            terminal.close()

    def close(self) -> None:
        """Remove all of it, whatever state a test left it in."""
        self.close_windows()
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.storage.exists():
            self.podman_done("rm", "--all", "--force", "--time", "0")
        if pause := self.pause_pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pause, signal.SIGKILL)
        # Some of it belongs to subordinate ids.
        remove = ["rm", "-rf", "--", str(self.folder)]
        subprocess.run(
            remove if os.geteuid() == 0 else ["podman", "unshare", *remove],
            capture_output=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause_pid(self) -> int | None:
        """The process that holds Podman's namespace for this account, whatever runs."""
        try:
            return int((self.runtime / "libpod" / "tmp" / "pause.pid").read_text())
        except (OSError, ValueError):
            return None
