"""A container engine in memory. It keeps the promises of engine/protocol.py, and records no calls.

What commands do in its containers, and in its builds, is a function that a test gives it.
"""

import os
import secrets
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import Container, ContainerSpec
from agent_session.engine.errors import NameTaken
from agent_session.engine.protocol import DiskUse, EngineInfo
from agent_session.errors import AgentSessionError, ConflictError, EngineRefused, Interrupted, NotFoundError
from tests.fake_files import FakeFiles
from tests.fake_images import FakeImages

PIECE = 1000
Commands = Callable[[str, Sequence[str], bytes], ExecResult]
"""(container's name, argv, stdin) -> how it ended;
TimeoutError stands for a command that does not end in time.
"""

OneOffs = Callable[[OneOff, bytes], ExecResult]
"""(one-off container, stdin) -> how it ended; TimeoutError as for commands."""


def assert_is_no_programs_of_the_agent(command: Sequence[str]) -> None:
    """Programs are called by their path, and Python without modules of the agent's home."""
    program, *rest = command
    assert program.startswith("/"), f"{program!r} would be searched for where the agent can put one"
    if program.startswith("/usr/bin/python"):
        assert rest[:1] == ["-I"], f"{command!r} reads modules of the agent's home"


def idle(_one_off: OneOff, _stdin: bytes) -> ExecResult:
    """Every one-off container ends well and says nothing."""
    return ExecResult(exit_code=0)


def succeed(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
    """Every command ends well and says nothing."""
    return ExecResult(exit_code=0)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    spec: ContainerSpec
    container: Container


class FakeEngine:
    """An engine whose containers, volumes and images are dictionaries."""

    def __init__(
        self,
        *,
        rootful: bool = False,
        images: Iterable[str] = (),
        registry: Iterable[str] = (),
        commands: Commands = succeed,
        one_offs: OneOffs = idle,
        volumes: Path | None = None,
        names: bool = True,
    ) -> None:
        self.rootful = rootful
        self.architecture = "amd64"
        self.closed = False
        self.images = FakeImages(self, images, registry)
        self.files = FakeFiles(self, volumes)
        self.local: FakeFiles | None = self.files
        """None, if a test says so, is another machine's engine."""
        self.lacking: dict[str, str] = {}
        self.unreachable: AgentSessionError | None = None
        self.facts = EngineInfo(
            version="5.4.0",
            driver="overlay",
            storage=Path("/"),
            runtime="crun",
            cgroups="v2",
            network="pasta",
            ids=65537,
        )
        self.commands = commands
        self.check_program: Callable[[Sequence[str]], None] = assert_is_no_programs_of_the_agent
        """Looks at each command that is run in a container."""
        self.outputs: dict[str, str] = {}
        self.one_offs = one_offs
        self.talks: Callable[[OneOff, IO[bytes], IO[bytes]], int] | None = None
        """What a one-off container does that is talked with while it runs; its exit code."""
        self.on_terminal: Callable[[OneOff], int] = lambda _one_off: 0
        self.names = names
        self.sizes: dict[str, int] = {}
        self._networks: dict[str, Mapping[str, str]] = {}
        self._secrets: dict[str, tuple[str, bytes]] = {}
        self._containers: dict[str, _Kept] = {}
        self._volumes: dict[str, Mapping[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect_soon(self) -> None:
        """Always ready."""

    def close(self) -> None:
        """Nothing is left; whoever asks again opens it again, as Podman's does."""
        self.closed = True

    def connect(self) -> None:
        """Memory is reached at once, unless the test says why not."""
        if self.unreachable:
            raise self.unreachable

    def info(self) -> EngineInfo:
        """What the test says, or what is best."""
        return self.facts

    def disk_use(self) -> DiskUse:
        """A megabyte each, or what the test says of a name."""
        names = (self.images.references(), self._volumes, self._containers)
        images, volumes, containers = ({name: self.sizes.get(name, 1 << 20) for name in one} for one in names)
        return DiskUse(images=images, volumes=volumes, containers=containers)

    def unenforced(self) -> Mapping[str, str]:
        """What the test says; all is enforced otherwise."""
        return self.lacking

    def check(self) -> None:
        """Memory is always set up."""

    def containers(self, label: str) -> list[Container]:
        """All containers that carry the label."""
        return [
            kept.container
            for kept in self._containers.values()
            if not label or label in kept.container.labels
        ]

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        kept = self._containers.get(name)
        return kept.container if kept else None

    def equivalent_commands(self, spec: ContainerSpec) -> list[list[str]]:
        """Argvs of the same shape as Podman's."""
        volumes = [
            ["podman", "volume", "create", mount.source] for mount in spec.mounts if mount.kind == "volume"
        ]
        return [*volumes, ["podman", "run", "--detach", f"--name={spec.name}", spec.image]]

    def create(self, spec: ContainerSpec) -> None:
        """Make a container, and its volumes where they are not there yet."""
        if spec.name in self._containers:
            raise NameTaken(spec.labels.get("agent-session.name", spec.name), spec.name)
        if not self.images.exists(spec.image):
            raise EngineRefused(f"creating {spec.name}: {spec.image}: image not known")
        for mount in spec.mounts:
            if mount.kind == "bind" and not Path(mount.source).exists():
                raise EngineRefused(f"creating {spec.name}: statfs {mount.source}: no such file or directory")
        if spec.network and spec.network not in self._networks:
            raise EngineRefused(
                f"creating {spec.name}: unable to find network with name {spec.network}: network not found"
            )
        for mount in spec.mounts:
            if mount.kind == "volume" and mount.source not in self._volumes:
                self.create_volume(mount.source, spec.labels)
        made = Container(
            name=spec.name,
            id=secrets.token_hex(32),
            image=spec.image,
            running=False,
            created=datetime.now(UTC),
            labels=dict(spec.labels),
            networks=(spec.network,) if spec.network else (),
            ports={port: secrets.randbelow(20000) + 40000 for port in spec.ports}
            | {port: host for host, port in spec.published},
        )
        self._containers[spec.name] = _Kept(spec=spec, container=made)

    def rename(self, name: str, new: str) -> None:
        """Give a container another name."""
        kept = self._kept(name)
        if new in self._containers:
            raise NameTaken(new, new)
        del self._containers[name]
        self._containers[new] = _Kept(
            spec=replace(kept.spec, name=new), container=replace(kept.container, name=new)
        )

    def start(self, name: str) -> None:
        """Start a container;"""
        kept = self._kept(name)
        if not kept.container.running:
            now = datetime.now(UTC)
            self._put(kept, replace(kept.container, running=True, started=now, ended=None, pid=os.getpid()))

    def stop(self, name: str) -> None:
        """End a container."""
        kept = self._kept(name)
        if kept.container.running:
            self._put(kept, replace(kept.container, running=False, ended=datetime.now(UTC), pid=None))

    def remove(self, name: str) -> None:
        """Remove a container; its volumes stay."""
        self._containers.pop(name, None)

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container has."""
        users = [
            kept
            for kept in self._containers.values()
            if any(m.kind == "volume" and m.source == name for m in kept.spec.mounts)
        ]
        if users:
            raise ConflictError(f"removing the volume {name}: it is being used by {users[0].spec.name}")
        if self._volumes.pop(name, None) is not None:
            self.files.remove_volume(name)

    def volumes(self, label: str) -> Mapping[str, Mapping[str, str]]:
        """The labels of all volumes that carry the label."""
        return {name: labels for name, labels in self._volumes.items() if not label or label in labels}

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a volume."""
        return self._volumes.get(name)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume."""
        if name in self._volumes:
            raise ConflictError(f"the volume {name} exists already")
        self._volumes[name] = dict(labels)
        self.files.make_volume(name)

    def root(self, name: str) -> Path:
        """The directory that is a container's root from now on; for tests."""
        return self.files.make_root(self._kept(name).container.id)

    def edit(self, name: str, **changes: Any) -> None:
        """Another program has changed a container; for tests."""
        kept = self._kept(name)
        self._put(kept, replace(kept.container, **changes))

    def lose_volume(self, name: str) -> None:
        """Another program has removed a volume, though a container has it; for tests."""
        del self._volumes[name]
        self.files.remove_volume(name)

    def create_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make a network, if this is an engine that has such."""
        if self.names:
            self._networks.setdefault(name, dict(labels))
        return self.names

    def remove_network(self, name: str) -> None:
        """Remove a network that no container has."""
        users = [kept.spec.name for kept in self._containers.values() if kept.spec.network == name]
        if users:
            raise ConflictError(f"removing the network {name}: it is being used by {users[0]}")
        self._networks.pop(name, None)

    def secret_id(self, name: str) -> str | None:
        """A secret's id."""
        return self._secrets[name][0] if name in self._secrets else None

    def read_secret(self, name: str) -> bytes | None:
        """A secret's content."""
        return self._secrets[name][1] if name in self._secrets else None

    def secret_content(self, name: str) -> bytes:
        """What a container with it would read; for tests."""
        return self._secrets[name][1]

    def put_secret(self, name: str, content: bytes) -> None:
        """Keep a secret."""
        self._secrets[name] = secrets.token_hex(12), content

    def remove_secret(self, name: str) -> None:
        """Forget a secret."""
        self._secrets.pop(name, None)

    def run_one_off(
        self,
        one_off: OneOff,
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a one-off container as the test's function says."""
        self.check_program(one_off.command)
        if not self.images.exists(one_off.image):
            raise EngineRefused(f"running {one_off.command[0]} in {one_off.image}: image not known")
        if self.talks is not None and stdout is not None and not isinstance(stdin, bytes):
            return ExecResult(exit_code=self.talks(one_off, stdin, stdout))
        try:
            done = self.one_offs(one_off, stdin if isinstance(stdin, bytes) else stdin.read())
        except TimeoutError:
            return ExecResult(exit_code=124, stderr=f"not done within {timeout:g} s".encode())
        if stdout is None:
            return done
        stdout.write(done.stdout)
        return replace(done, stdout=b"")

    def run_one_off_on_terminal(self, one_off: OneOff, *, cancelled: Callable[[], bool]) -> int:
        """Run a one-off container on a terminal as the test's function says."""
        exit_code = self.on_terminal(one_off)
        if cancelled():
            raise Interrupted
        return exit_code

    def exec(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a command as the test's function says."""
        self.check_program(command)
        kept = self._containers.get(name)
        if kept is None or not kept.container.running:
            raise EngineRefused(
                f"running {command[0]} in {name}: can only create exec sessions on running containers"
            )
        try:
            done = self.commands(name, command, stdin if isinstance(stdin, bytes) else stdin.read())
        except TimeoutError:
            return ExecResult(exit_code=124, stderr=f"no answer within {timeout:g} s".encode())
        if stdout is None:
            return done
        stdout.write(done.stdout)
        stdout.flush()
        return replace(done, stdout=b"")

    def exec_stream(
        self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> Generator[bytes, None, ExecResult]:
        """What the test's function says, in pieces that end anywhere."""
        done = self.exec(name, command, stdin=stdin, timeout=timeout or 0)
        for start in range(0, len(done.stdout), PIECE):
            yield done.stdout[start : start + PIECE]
        return replace(done, stdout=b"")

    def log_tail(self, name: str) -> str:
        """What the test says."""
        return self.outputs.get(name, "")

    def exec_as_root(self, name: str, command: Sequence[str]) -> None:
        """Such a command does nothing in these containers."""
        self.check_program(command)
        kept = self._containers.get(name)
        if kept is None or not kept.container.running:
            raise EngineRefused(
                f"starting {command[0]} in {name}: can only create exec sessions on running containers"
            )

    def attach_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = True
    ) -> list[str]:
        """An argv of the same shape as Podman's."""
        variables = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
        streams = ["-it", "--detach-keys", ""] if terminal else ["-i"]
        return ["podman", "exec", *streams, *variables, name, *command]

    def specification(self, name: str) -> ContainerSpec:
        """What a container was made with; for tests."""
        return self._kept(name).spec

    def grow_old(self, name: str) -> None:
        """A container has been running for years; for tests."""
        kept = self._kept(name)
        self._put(kept, replace(kept.container, started=datetime(2020, 1, 1, tzinfo=UTC)))

    def _kept(self, name: str) -> _Kept:
        if name not in self._containers:
            raise NotFoundError(f"no container with name {name}")
        return self._containers[name]

    def _put(self, kept: _Kept, container: Container) -> None:
        self._containers[container.name] = replace(kept, container=container)
