"""The narrow door to a container engine: a Protocol and its data.

Two implementations keep the same promises: `podman_engine.PodmanEngine`, and `tests/fake_engine.py` in memory; one contract
suite runs against both. Every method raises EngineUnavailable when nobody answers and EngineRefused when the answer is no.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mount. `source` is a host path (bind), a volume's name (volume) or "" (tmpfs; read-only: to all but the container's root)."""

    kind: Literal["bind", "volume", "tmpfs"]
    target: PurePosixPath
    source: str = ""
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class SecretFile:
    """A secret of the engine's, by name, as a file /run/secrets/<target> that only the container's user may read."""

    name: str
    target: str


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What the engine is told. The command is the image's own."""

    name: str
    image: str
    hostname: str
    workdir: PurePosixPath
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    stop_timeout: int = 10
    network: str = (
        ""  # one that was made with create_network; "": the engine's usual one, where nobody finds it
    )
    alias: str = ""  # what it is called there, beside its name
    ports: tuple[
        int, ...
    ] = ()  # TCP ports that are to be reached from this machine's loopback, there under free numbers
    memory: int = 0  # bytes; of this and the next two 0 is no limit, and one that cannot be enforced is none
    cpus: float = 0
    pids: int = 0  # processes and threads


@dataclass(frozen=True, kw_only=True)
class Container:
    """What the engine says there is. `started` is None for one that never ran, `ended` for one that runs or whose end nobody saw,
    `pid` (its first process's, as the engine's machine counts) for one that does not run; times are aware."""

    name: str
    id: str
    image: str
    running: bool
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    pid: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    """Of those that it was made with, the loopback's for each; the same in each of its lives."""


@dataclass(frozen=True, kw_only=True)
class ExecResult:
    """How a command in a container ended."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True, kw_only=True)
class About:
    """What the engine says of itself. `ids` are the user ids a container can have; `storage` None: on another machine."""

    version: str
    driver: str
    storage: Path | None
    runtime: str
    cgroups: str
    network: str
    ids: int


@dataclass(frozen=True, kw_only=True)
class OneOff:
    """One command in a container of its own, as the agent's user with as few rights, that is gone when it ends."""

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    network: bool = False


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """An image to build: `context` maps paths in the build context to their content (bytes, or a file on the host)."""

    tag: str
    context: Mapping[str, bytes | Path]
    arguments: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False


class Engine(Protocol):
    """A container engine, as far as sessions need one."""

    @property
    def rootful(self) -> bool:
        """Whether container root is host root."""

    @property
    def architecture(self) -> str:
        """Of the machine the containers run on: "amd64" or "arm64"."""

    @property
    def remote(self) -> bool:
        """Whether containers run on another machine, or in a virtual one."""

    def connect(self) -> None:
        """Reach the engine now, from the thread that will outlive all its use."""

    def info(self) -> About:
        """What it says of itself. One slow round trip."""

    def stale_builds(self) -> list[str]:
        """What builds that were killed have left, in words; also what those that go on need: ask where no other can go on."""

    def remove_stale_builds(self, leftovers: Sequence[str]) -> None:
        """Remove some of those."""

    def unenforced(self) -> Mapping[str, str]:
        """Which limits (memory, cpus, pids) a container's specification may name and will not get here, and why."""

    def check(self) -> None:
        """EngineUnavailable where containers or images cannot be made here although the engine answers."""

    def containers(self, label: str) -> list[Container]:
        """All containers that carry the label ("": all there are), running or not, in no order. One round trip."""

    def container(self, name: str) -> Container | None:
        """The container of that name, whoever made it."""

    def equivalent_commands(self, spec: ContainerSpec) -> list[list[str]]:
        """The argvs that would make its volumes and, the last one, make and start that container; for people. Nothing is run."""

    def create(self, spec: ContainerSpec) -> None:
        """Make a container, not started, and the named volumes it asks for, labelled as it is. NameTaken if the name is."""

    def rename(self, name: str, new: str) -> None:
        """Give a container another name, running or not. NotFoundError if there is none, NameTaken if `new` is."""

    def start(self, name: str) -> None:
        """Start a container; one that runs stays as it is. NotFoundError if there is none."""

    def stop(self, name: str) -> None:
        """End a container within its stop_timeout; nothing to do for one that does not run. NotFoundError if there is none."""

    def remove(self, name: str) -> None:
        """Remove a container, killing it first if it runs; nothing to do where there is none."""

    def remove_volume(self, name: str) -> None:
        """Remove a named volume; nothing to do where there is none."""

    def volumes(self, label: str) -> Mapping[str, Mapping[str, str]]:
        """The labels of all named volumes that carry the label ("": all there are), by the volumes' names. One round trip."""

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a named volume, None where there is none."""

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a named volume. ConflictError where there is one of that name."""

    def volume_path(self, name: str) -> Path | None:
        """Where this process can read a volume's files; None where there is no volume, or no such place."""

    def open_root(self, container_id: str, pid: int) -> int | None:
        """A descriptor of a running container's root directory (by Container's id and pid), which the caller closes.

        None where this process cannot see it: another machine's container, one that has ended, no right to look. No round trip.
        What is below is the agent's to change: see `walk`.
        """

    def create_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make a network, where there is none of that name, on which containers find each other by name. False: not to be had here."""

    def remove_network(self, name: str) -> None:
        """Remove a network; nothing to do where there is none. ConflictError while a container has it."""

    def secret_id(self, name: str) -> str | None:
        """What tells one content of a secret from the next, None where there is none of that name."""

    def put_secret(self, name: str, content: bytes) -> None:
        """Keep a secret under that name, in place of the one before. Containers made before keep what they have."""

    def remove_secret(self, name: str) -> None:
        """Forget a secret; nothing to do where there is none."""

    def run_one_off(
        self,
        errand: OneOff,
        *,
        stdin: "bytes | IO[bytes]" = b"",
        stdout: "IO[bytes] | None" = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run an errand without a terminal; with `stdout` what it says goes there. Exit code 124 when time was up."""

    def one_off_command(self, errand: OneOff) -> list[str]:
        """The argv that runs an errand on the caller's terminal."""

    def exec(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: "bytes | IO[bytes]" = b"",
        stdout: "IO[bytes] | None" = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a command in a running container, without a terminal; with `stdout` what it says goes there.

        Exit code 124 when `timeout` seconds were not enough.
        """

    def exec_stream(
        self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> Generator[bytes, None, ExecResult]:
        """Run a command as `run` does, giving what it says as it comes, in pieces; returns how it ended, without that.

        Who closes it earlier, or is interrupted, leaves the command to itself: it goes on. Exit code 124 when time was up, likewise.
        """

    def log_tail(self, name: str) -> str:
        """The last lines that a container's first process has said, running or ended; "" where nobody kept them."""

    def exec_as_root(self, name: str, command: Sequence[str]) -> None:
        """Start a command in a running container and leave it there, with all rights of the container's own root, none of the host's."""

    def attach_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = True
    ) -> list[str]:
        """The argv that runs a command in a container on the caller's terminal, or streams as they are; for os.execvp."""

    def image_exists(self, reference: str) -> bool:
        """Whether the image is there, without asking a registry."""

    def images(self) -> set[str]:
        """All references (name:tag) of local images. One round trip."""

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image, telling progress."""

    def import_image(self, archive: Path, reference: str) -> None:
        """Make an image of a root file system in a tar archive."""

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image, yielding its output line by line. BuildFailed with the last words when it fails."""

    def prepare_image(self, reference: str) -> None:
        """Do once, now, what the first container of an image would have to wait for. BuildFailed where it could run nothing."""

    def remove_image(self, reference: str) -> None:
        """Remove an image nobody uses; nothing to do where it is absent or in use."""

    def connect_soon(self) -> None:
        """Get ready for more than one call, and return at once. Never needed; what goes wrong is told by the first call."""

    def close(self) -> None:
        """Leave nothing behind: call before the process is replaced or ends."""
