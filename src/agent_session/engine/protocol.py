"""A container engine as sessions need it: three Protocols.

`Engine` runs containers (their data: container.py, command.py), `ImageStore` (image_store.py) keeps images,
`LocalFiles` (local_files.py) reads files of containers on this machine. PodmanEngine and the engine in memory
(tests/fake_engine.py) keep the same promises, which tests/contract checks on both. Every method raises
EngineUnavailable when the engine does not answer, and EngineRefused when it refuses.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import Container, ContainerSpec
from agent_session.engine.image_store import ImageStore
from agent_session.engine.local_files import LocalFiles


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """The engine's description of itself."""

    version: str
    driver: str
    """The storage driver."""
    storage: Path | None
    """The directory of the storage; None for an engine on another machine."""
    runtime: str
    cgroups: str
    network: str
    """The program that connects rootless containers; "" where there is none."""
    ids: int
    """How many user ids a container can have."""


@dataclass(frozen=True, kw_only=True)
class DiskUse:
    """Bytes on the engine's disk, by name. What images share is counted in each of them."""

    images: Mapping[str, int]
    """By reference."""
    volumes: Mapping[str, int]
    containers: Mapping[str, int]
    """What each has written beside its volumes and its image."""


class Engine(Protocol):
    """A container engine, as far as sessions need one."""

    @property
    def images(self) -> ImageStore:
        """The images of this engine."""

    @property
    def local(self) -> LocalFiles | None:
        """Files of this machine's containers; None for an engine on another machine, or in a virtual one."""

    @property
    def rootful(self) -> bool:
        """Whether container root is host root."""

    @property
    def architecture(self) -> str:
        """The architecture of the machine that runs the containers: "amd64" or "arm64"."""

    def connect(self) -> None:
        """Connect to the engine now, from the thread that will outlive every use of it."""

    def connect_soon(self) -> None:
        """Begin to connect and return at once. It is never necessary; the first call reports a failure."""

    def close(self) -> None:
        """End the processes that this one has started for the engine, before it ends or is replaced."""

    def info(self) -> EngineInfo:
        """Ask the engine to describe itself. One slow round trip."""

    def disk_use(self) -> DiskUse:
        """Measure what images, volumes and containers take. One round trip, as slow as there are files."""

    def check(self) -> None:
        """Raise EngineUnavailable where the engine answers but cannot make containers or images."""

    def unenforced(self) -> Mapping[str, str]:
        """Say which limits (memory, cpus, pids) this machine does not enforce, and why."""

    def containers(self, label: str) -> list[Container]:
        """List all containers with the label ("": all), running or not, in no order. One round trip."""

    def container(self, name: str) -> Container | None:
        """Return the container of that name, also one that agent-session did not make."""

    def create(self, spec: ContainerSpec) -> None:
        """Make a container without starting it, and its volumes with the same labels.

        Raises NameTaken if there is a container of that name.
        """

    def equivalent_commands(self, spec: ContainerSpec) -> list[list[str]]:
        """The command lines that a person would type instead of `create` and `start`. Nothing is run.

        The last one makes and starts the container, the others its network and volumes.
        """

    def rename(self, name: str, new: str) -> None:
        """Rename a container, running or not. NotFoundError if there is none, NameTaken if `new` is taken."""

    def start(self, name: str) -> None:
        """Start a container; a running one stays as it is. NotFoundError if there is none.

        MountMoved where the source of a bind is not reached without links any more: then nothing has run.
        """

    def stop(self, name: str) -> None:
        """Stop a container within its stop_timeout; a stopped one stays as it is.

        Raises NotFoundError if there is none.
        """

    def remove(self, name: str) -> None:
        """Remove a container, after killing it if it runs. Nothing happens where there is none."""

    def volumes(self, label: str) -> Mapping[str, Mapping[str, str]]:
        """Map the names of all volumes with the label ("": all volumes) to their labels. One round trip."""

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """Return the labels of a named volume, None where there is none."""

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a named volume. ConflictError where there is one of that name."""

    def remove_volume(self, name: str) -> None:
        """Remove a named volume; nothing happens where there is none.

        Raises ConflictError while a container has it.
        """

    def create_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make sure of a network on which containers find each other by name.

        False where the engine has none.
        """

    def remove_network(self, name: str) -> None:
        """Remove a network. ConflictError while a container has it; nothing happens where there is none."""

    def secret_id(self, name: str) -> str | None:
        """Return an id that changes with the content of a secret, None where there is no such secret."""

    def read_secret(self, name: str) -> bytes | None:
        """Return the content of a secret, None where there is no such secret.

        Raises EngineRefused where the engine keeps it in a way that this one does not know.
        """

    def put_secret(self, name: str, content: bytes) -> None:
        """Store a secret, replacing an earlier one."""

    def remove_secret(self, name: str) -> None:
        """Remove a secret. Nothing happens where there is none."""

    def exec(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: "bytes | IO[bytes]" = b"",
        stdout: "IO[bytes] | None" = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a command in a running container, without a terminal.

        Its output goes to `stdout` if that is given. The exit code is 124 after `timeout` seconds.
        """

    def exec_stream(
        self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> Generator[bytes, None, ExecResult]:
        """Run a command as `exec` does, yielding its output in pieces; returns the result without the output.

        A caller that closes it earlier, or is interrupted, leaves the command running. So does exit code 124,
        after `timeout` seconds.
        """

    def exec_as_root(self, name: str, command: Sequence[str]) -> None:
        """Start a command in a running container and leave it there, with all rights of the container's root.

        It has none of the host's rights.
        """

    def attach_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = True
    ) -> list[str]:
        """The command line for os.execvp that runs a command in a container on the caller's terminal.

        Without `terminal` it uses the caller's streams.
        """

    def run_one_off(
        self,
        one_off: OneOff,
        *,
        stdin: "bytes | IO[bytes]" = b"",
        stdout: "IO[bytes] | None" = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a one-off container without a terminal; streams and exit code 124 as with `exec`."""

    def run_one_off_on_terminal(self, one_off: OneOff, *, cancelled: Callable[[], bool]) -> int:
        """Run a one-off container on the caller's terminal; returns its exit code.

        Interrupted where `cancelled`, which is asked several times a second, says so. However it ends, the
        container is gone.
        """

    def log_tail(self, name: str) -> str:
        """Return the last lines that a container's first process printed; "" where the engine kept none."""
