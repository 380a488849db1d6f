"""agent-session in a forked process, which can be made to signal itself between two calls of its engine.

Forked, because an interpreter that has read the program once runs a thousand commands in the time of two
hundred. What is forked runs `main` as the launcher does:
in a process group, an environment and a directory of its own.
"""

import contextlib
import importlib
import io
import os
import pkgutil
import pty
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, NoReturn

import podman.api.client  # noqa: F401 (read once, before forking)

import agent_session
from agent_session.cli.main import main
from agent_session.cli.run import run
from agent_session.engine.podman import answers, builds
from agent_session.engine.podman.builds import Builds
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.engine import PodmanEngine
from tests.waiting import COMMAND_SECONDS

for module in pkgutil.walk_packages(agent_session.__path__, "agent_session."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
with contextlib.redirect_stderr(io.StringIO()):
    run(["ls", "--no-such-option"])  # what parsing a command line imports

LOOKING = ("listing", "looking", "reading", "asking")


@dataclass(frozen=True, kw_only=True)
class Strike:
    """The process signals itself (SIGINT: its group, as Ctrl-C does) at its `at`-th step, counted from 0."""

    at: int
    signal: signal.Signals


@dataclass(frozen=True, kw_only=True)
class Meanwhile:
    """What happens to the machine just before the first step whose words begin so;
    `do` gets the number of the service's process.
    """

    before: str
    do: Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended, -9 for a kill; `steps` are those it came to, in words."""

    code: int
    out: str
    err: str
    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A command that has begun. Its streams are files: nobody need read while it runs."""

    pid: int
    master: int | None
    out: IO[bytes]
    err: IO[bytes]
    trail: IO[bytes]

    def interrupt(self, *, seconds: float = COMMAND_SECONDS) -> None:
        """Ctrl-C, once it has printed something or has ended."""
        deadline = time.monotonic() + seconds
        while not os.fstat(self.out.fileno()).st_size and time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.005)
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, *, seconds: float = COMMAND_SECONDS) -> Ended:
        """Its end; one that is not done in time is killed and counts as a failure of its own."""
        code = _wait(self.pid, self.master, seconds)
        out, err, trail = (_text(file) for file in (self.out, self.err, self.trail))
        return Ended(code=code, out=out, err=err, steps=tuple(trail.splitlines()))


class Program:
    """Runs agent-session for one account."""

    def __init__(self, environment: Mapping[str, str], home: Path) -> None:
        self._environment = environment
        self._home = home

    def begin(
        self,
        *arguments: str | Path,
        stdin: str = "",
        strike: Strike | None = None,
        meanwhile: Meanwhile | None = None,
        terminal: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Running:
        """Begin a command; with `terminal` on a terminal of its own, which nobody looks at."""
        # They are the command's, and closed when it has ended.
        given, out, err, trail = (tempfile.TemporaryFile() for _ in range(4))  # noqa: SIM115
        given.write(stdin.encode())
        given.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of forking beside threads: pytest-xdist's, which hold nothing of ours
            child, master = pty.fork() if terminal else (os.fork(), None)
        if child == 0:
            environment = {**self._environment, **(env or {})}
            streams = None if terminal else (given.fileno(), out.fileno(), err.fileno())
            _become([str(word) for word in arguments], environment, cwd or self._home, streams,
                    _Steps(trail.fileno(), strike, meanwhile))  # fmt: skip
        given.close()
        return Running(pid=child, master=master, out=out, err=err, trail=trail)

    def run(self, *arguments: str | Path, seconds: float = COMMAND_SECONDS, **how: Any) -> Ended:
        """One command, from its beginning (which takes the keywords) to its end."""
        return self.begin(*arguments, **how).wait(seconds=seconds)

    def ok(self, *arguments: str | Path, stdin: str = "", cwd: Path | None = None) -> str:
        """One command that must succeed; what it prints."""
        ended = self.run(*arguments, stdin=stdin, cwd=cwd)
        assert ended.code == 0, f"agent-session {' '.join(map(str, arguments))}: {ended}"
        return ended.out


def _wait(child: int, master: int | None, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    if master is not None:
        os.set_blocking(master, False)
    while True:
        if master is not None:
            with contextlib.suppress(OSError):  # nothing to read, or nobody who writes
                os.read(master, 65536)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"agent-session has not ended within {seconds:g} s")
        time.sleep(0.005)
    if master is not None:
        os.close(master)
    return os.waitstatus_to_exitcode(status)


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def _become(
    arguments: list[str],
    environment: Mapping[str, str],
    cwd: Path,
    streams: tuple[int, ...] | None,
    steps: "_Steps",
) -> NoReturn:
    """In the child: be that command."""
    code = 1
    try:
        if streams:
            os.setpgid(0, 0)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        for name, mode, number in (("stdin", "r", 0), ("stdout", "w", 1), ("stderr", "w", 2)):
            # Pytest's own are other files.
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(cwd)
        tempfile.tempdir = None
        warnings.resetwarnings()
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_DFL)
        sys.argv = ["agent-session", *arguments]
        steps.install()
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


class _Steps:
    """Counts what lies between two calls of the engine, and strikes at one of them."""

    def __init__(self, trail: int, strike: Strike | None, meanwhile: Meanwhile | None) -> None:
        self._trail = os.dup(trail)
        self._strike = strike
        self._meanwhile = meanwhile
        self._count = 0

    def install(self) -> None:
        """Around everything that the engine asks of Podman:
        requests, commands, its own service, lines of a build.
        """

        def said(doing: int) -> Callable[..., str]:
            return lambda *arguments: str(arguments[doing])

        def command(*arguments: Any) -> str:
            return f"running {PurePath(arguments[2][0]).name}"

        self._around(PodmanEngine, "connect_soon", lambda *_: "beginning a service")
        self._around(Connection, "listing", lambda *_: "listing by command")
        self._around(builds, "workplaces", lambda *_: "listing build containers")
        self._around(Connection, "call", said(3))
        self._around(Connection, "run_command", said(2))
        self._around(PodmanEngine, "exec", command)
        self._around(PodmanEngine, "exec_as_root", command)
        self._around(
            PodmanEngine,
            "run_one_off",
            lambda *arguments: f"one-off {PurePath(arguments[1].command[0]).name}",
        )
        self._around(Builds, "remove_stale", lambda *_: "removing stale builds")
        self._around(PodmanEngine, "close", lambda *_: "closing")
        os.execvpe = lambda *_: sys.exit(
            0
        )  # our part ends where podman's begins, on a terminal that nobody looks at
        self._around(os, "execvpe", lambda *_: "becoming podman")
        reports = answers.reports

        def counted(answer: Any) -> Iterator[dict[str, Any]]:
            for report in reports(answer):
                self._pass("report")
                yield report

        answers.reports = counted

    def _around(self, owner: Any, name: str, words: Callable[..., str]) -> None:
        inner = getattr(owner, name)

        def stepped(*arguments: Any, **keywords: Any) -> Any:
            what = words(*arguments)
            self._happen(what, arguments[0])
            self._pass(f"before {what}")
            answer = inner(*arguments, **keywords)
            if not what.startswith(
                LOOKING
            ):  # what only looks changes nothing: then before the next call is as good
                self._pass(f"after {what}")
            return answer

        setattr(owner, name, stepped)

    def _happen(self, what: str, owner: Any) -> None:
        if self._meanwhile and what.startswith(self._meanwhile.before):
            happening, self._meanwhile = self._meanwhile, None
            service = getattr(getattr(owner, "_podman", owner), "_begun", None)
            happening.do(service.process.pid if service and service.process else 0)

    def _pass(self, where: str) -> None:
        os.write(self._trail, f"{where}\n".encode())
        number, self._count = self._count, self._count + 1
        if self._strike and number == self._strike.at:
            if self._strike.signal == signal.SIGINT:
                os.killpg(0, signal.SIGINT)
            else:
                os.kill(os.getpid(), self._strike.signal)
