"""Commands in Podman's containers and one-off containers, run by the podman command.

By the API each exec leaves a monitor process behind for five minutes (Podman 4.3.1), and the bindings have no
stdin.
"""

import subprocess
from collections.abc import Callable, Generator, Sequence, Set
from typing import IO, Literal

from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.podman import containers, one_off, processes, troubleshooting
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.one_off import ENVIRONMENT
from agent_session.host import terminal_modes
from agent_session.host.signals import uninterrupted

EXEC_FAILED = frozenset({125, 255})
"""Exit codes of `podman exec` that may be Podman's own."""
CREATE_SECONDS = 60
RUN_FAILED = frozenset({125, 126, 127})
"""Exit codes of `podman run` that may be Podman's own."""


def run(
    podman: Connection,
    name: str,
    command: Sequence[str],
    *,
    stdin: bytes | IO[bytes],
    stdout: IO[bytes] | None,
    timeout: float,
) -> ExecResult:
    """Run a command in a running container."""
    argv = [*podman.command(), "exec", "-i", *ENVIRONMENT, name, *command]
    try:
        done = processes.whole(argv, stdin=stdin, stdout=stdout, timeout=timeout)
    except subprocess.TimeoutExpired:
        return ExecResult(exit_code=124, stderr=f"no answer within {timeout:g} s".encode())
    return _result(done, f"running {command[0]} in {name}", failed=EXEC_FAILED)


def stream(
    podman: Connection, name: str, command: Sequence[str], *, stdin: bytes, timeout: float | None
) -> Generator[bytes, None, ExecResult]:
    """Run a command in a running container, yielding its output."""
    argv = [*podman.command(), "exec", "-i", *ENVIRONMENT, name, *command]
    done = yield from processes.stream(argv, stdin=stdin, timeout=timeout)
    return _result(done, f"running {command[0]} in {name}", failed=EXEC_FAILED)


def start_as_root(podman: Connection, name: str, command: Sequence[str]) -> None:
    """Start a command in a container as its root, and leave it there."""
    as_root = ["--privileged", "--user", "0", "--workdir", "/"]
    argv = [*podman.command(), "exec", "--detach", *as_root, name, *command]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise troubleshooting.explain(done.stderr, f"starting {command[0]} in {name}")


def log_tail(podman: Connection, name: str) -> str:
    """The last lines of `podman logs`."""
    argv = [*podman.command(), "logs", "--tail=8", name]
    try:
        done = processes.whole(argv, stdin=b"", stdout=None, timeout=10)
    except subprocess.TimeoutExpired:
        return ""
    return "" if done.exit_code else (done.stdout + done.stderr).decode("utf-8", "replace")


def run_one_off(
    podman: Connection,
    wanted: OneOff,
    *,
    stdin: bytes | IO[bytes],
    stdout: IO[bytes] | None,
    timeout: float,
) -> ExecResult:
    """Run a one-off container. When it is interrupted or too slow, the container is removed."""
    name = one_off.new_name()
    try:
        argv = _made(podman, wanted, name) if _has_binds(podman, wanted) else _one_off(podman, wanted, name)
        done = processes.whole(argv, stdin=stdin, stdout=stdout, timeout=timeout)
    except subprocess.TimeoutExpired:
        containers.remove(podman, name)
        return ExecResult(exit_code=124, stderr=f"not done within {timeout:g} s".encode())
    except BaseException:
        with uninterrupted():
            containers.remove(podman, name)
        raise
    if done.exit_code == processes.TOO_MUCH:
        containers.remove(podman, name)
    return _result(done, f"running {wanted.command[0]} in {wanted.image}", failed=RUN_FAILED)


def run_one_off_on_terminal(podman: Connection, wanted: OneOff, *, cancelled: Callable[[], bool]) -> int:
    """Run a one-off container on this terminal. It is removed when it is interrupted or `cancelled`."""
    name = one_off.new_name()
    argv = _one_off(podman, wanted, name, terminal=True)
    with terminal_modes.restored():
        try:
            return processes.wait_on_terminal(argv, cancelled=cancelled)
        except BaseException:
            with uninterrupted():
                containers.remove(podman, name)
            raise


def _has_binds(podman: Connection, wanted: OneOff) -> bool:
    return podman.is_local and any(mount.kind == "bind" for mount in wanted.mounts)


def _made(podman: Connection, wanted: OneOff, name: str) -> list[str]:
    """Make a one-off container, check its mounts, and return the command that runs it.

    A project may have been replaced by a link since its session stopped. Raises MountMoved then.
    """
    argv = _one_off(podman, wanted, name, verb="create")
    done = processes.whole(argv, stdin=b"", stdout=None, timeout=CREATE_SECONDS)
    if done.exit_code:
        raise troubleshooting.explain(done.message, f"making a container of {wanted.image}")
    containers.prepare_new(podman, name)
    return [*podman.command(), "start", "--attach", "--interactive", "--sig-proxy=false", name]


def _one_off(
    podman: Connection,
    wanted: OneOff,
    name: str,
    *,
    terminal: bool = False,
    verb: Literal["run", "create"] = "run",
) -> list[str]:
    words = one_off.arguments(
        wanted,
        name=name,
        rootful=podman.rootful,
        network=podman.usual_network(),
        terminal=terminal,
        verb=verb,
    )
    return [*podman.command(), *words]


def _result(done: ExecResult, doing: str, *, failed: Set[int]) -> ExecResult:
    """Return the command's own result, or raise EngineRefused where Podman itself failed.

    That is an exit code in `failed` together with Podman's "Error:".
    """
    if done.exit_code in failed and done.message.startswith("Error:"):
        raise troubleshooting.explain(done.message, doing)
    return done
