"""Podman as an Engine.

Quirks of Podman's versions stay in this package: connection (how Podman is reached and asked), specification
(requests), answers (replies), containers, volumes, secrets, networks, image_store and builds, execution and
one_off (commands), local_files and container_root (files). What not every verb needs is imported where it is
needed: `ls` asks one question.
"""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from agent_session.engine import limits
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import Container, ContainerSpec
from agent_session.engine.podman import answers, containers, networks, secrets, volumes
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.local_files import PodmanFiles
from agent_session.engine.protocol import DiskUse, EngineInfo
from agent_session.errors import ConflictError, Hint

if TYPE_CHECKING:
    from agent_session.engine.podman.image_store import PodmanImages
    from agent_session.engine.podman.listing import Listing
    from agent_session.engine.podman.service import Service

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class PodmanEngine:
    """Podman, connected to on first use."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        listing: "Listing | None" = None,
        service: "Service | None" = None,
    ) -> None:
        """Use a `listing` that has been begun for the first question, and a `service` that `close` ends."""
        self._podman = Connection(environment, listing=listing, service=service)
        self._images: PodmanImages | None = None
        self.local = PodmanFiles(self._podman) if self._podman.is_local else None

    def __enter__(self) -> "PodmanEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Connect to Podman now."""
        self._podman.open()

    def connect_soon(self) -> None:
        """Start our own service where one is needed, without waiting for it."""
        self._podman.begin()

    def close(self) -> None:
        """End our own service, if there is one, and clean up after an interrupted build."""
        self._podman.close(with_its_work=self._images is not None and self._images.builds_now)
        if self._images:
            self._images.close()

    @property
    def images(self) -> "PodmanImages":
        """The images of this Podman."""
        from agent_session.engine.podman.image_store import PodmanImages

        self._images = self._images or PodmanImages(self._podman)
        return self._images

    @property
    def rootful(self) -> bool:
        """Whether container root is host root."""
        return self._podman.rootful

    @property
    def architecture(self) -> str:
        """The architecture of the machine that runs the containers."""
        machine = os.uname().machine if self._podman.is_local else self._podman.info()["host"]["arch"]
        return ARCHITECTURES.get(machine, machine)

    def info(self) -> EngineInfo:
        """Podman's description of itself."""
        return answers.engine_info(self._podman.info(), local=self._podman.is_local)

    def disk_use(self) -> DiskUse:
        """What Podman measures."""
        return answers.disk_use(self._podman.call("GET", "/system/df", "measuring the storage").json())

    def check(self) -> None:
        """Raise EngineUnavailable without subordinate ids, which Podman misses late and in odd words."""
        from agent_session.engine.podman import service as podman_service
        from agent_session.engine.podman import troubleshooting

        if self._podman.is_local and not self.rootful and not podman_service.has_subordinate_ids():
            raise troubleshooting.explain(
                "no subuid ranges found for you", "looking at /etc/subuid and /etc/subgid"
            )

    def unenforced(self) -> Mapping[str, str]:
        """Which limits are not enforced, and why."""
        return limits.unenforced(self._kernel(), rootful=self.rootful)

    def containers(self, label: str) -> list[Container]:
        """All containers with the label."""
        return containers.labelled(self._podman, label)

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        return containers.named(self._podman, name)

    def create(self, spec: ContainerSpec) -> None:
        """Make a container and its volumes."""
        self.check()
        containers.create(self._podman, spec, kernel=self._kernel())

    def equivalent_commands(self, spec: ContainerSpec) -> list[list[str]]:
        """The podman commands that do the same as `create` and `start`."""
        from agent_session.engine.podman import commands

        network_there = bool(spec.network and networks.look(self._podman, spec.network))
        lines = commands.commands(
            spec,
            rootful=self.rootful,
            kernel=self._kernel(),
            network=self._podman.usual_network(),
            network_there=network_there,
        )
        return [[*self._podman.command(), *words] for words in lines]

    def rename(self, name: str, new: str) -> None:
        """Rename a container."""
        containers.rename(self._podman, name, new)

    def start(self, name: str) -> None:
        """Start a container."""
        containers.start(self._podman, name)

    def stop(self, name: str) -> None:
        """Stop a container."""
        containers.stop(self._podman, name)

    def remove(self, name: str) -> None:
        """Remove a container; its named volumes stay."""
        containers.remove(self._podman, name)

    def volumes(self, label: str) -> Mapping[str, Mapping[str, str]]:
        """The labels of all volumes with the label."""
        return volumes.labelled(self._podman, label)

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a volume."""
        return volumes.labels(self._podman, name)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume."""
        if not volumes.create(self._podman, name, labels):
            raise ConflictError(
                f"the volume {name} exists already", hint=Hint(shell=f"podman volume inspect {name}")
            )

    def remove_volume(self, name: str) -> None:
        """Remove a volume; what only holds it for a command that was killed is removed first."""
        try:
            volumes.remove(self._podman, name)
        except ConflictError:
            from datetime import UTC, datetime

            from agent_session.engine.podman import one_off

            now, local = datetime.now(UTC), self._podman.is_local
            found = self.containers("")
            left = [one.name for one in found if one_off.is_abandoned(one, local=local, now=now)]
            if not left:
                raise
            for container in left:
                self.remove(container)
            volumes.remove(self._podman, name)

    def create_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make sure of a network."""
        return networks.create(self._podman, name, labels)

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        networks.remove(self._podman, name)

    def secret_id(self, name: str) -> str | None:
        """The id of a secret's content."""
        return secrets.content_id(self._podman, name)

    def read_secret(self, name: str) -> bytes | None:
        """The content of a secret."""
        return secrets.read(self._podman, name)

    def put_secret(self, name: str, content: bytes) -> None:
        """Store a secret."""
        secrets.put(self._podman, name, content)

    def remove_secret(self, name: str) -> None:
        """Remove a secret."""
        secrets.remove(self._podman, name)

    def exec(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a command in a running container."""
        from agent_session.engine.podman import execution

        return execution.run(self._podman, name, command, stdin=stdin, stdout=stdout, timeout=timeout)

    def exec_stream(
        self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> Generator[bytes, None, ExecResult]:
        """Run a command in a running container, yielding its output."""
        from agent_session.engine.podman import execution

        return execution.stream(self._podman, name, command, stdin=stdin, timeout=timeout)

    def exec_as_root(self, name: str, command: Sequence[str]) -> None:
        """Start a command in a container as its root."""
        from agent_session.engine.podman import execution

        execution.start_as_root(self._podman, name, command)

    def attach_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = True
    ) -> list[str]:
        """The command line for os.execvp; no key detaches, as Podman's Ctrl-P would be lost to the agent."""
        variables = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
        streams = ["-it", "--detach-keys", ""] if terminal else ["-i"]
        return [*self._podman.command(), "exec", *streams, *variables, name, *command]

    def run_one_off(
        self,
        one_off: OneOff,
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a one-off container."""
        from agent_session.engine.podman import execution

        return execution.run_one_off(self._podman, one_off, stdin=stdin, stdout=stdout, timeout=timeout)

    def run_one_off_on_terminal(self, one_off: OneOff, *, cancelled: Callable[[], bool]) -> int:
        """The command line that runs a one-off container on the caller's terminal."""
        from agent_session.engine.podman import execution

        return execution.run_one_off_on_terminal(self._podman, one_off, cancelled=cancelled)

    def log_tail(self, name: str) -> str:
        """The last lines of a container's output."""
        from agent_session.engine.podman import execution

        return execution.log_tail(self._podman, name)

    def _kernel(self) -> limits.Kernel:
        from agent_session.engine.podman import cgroups

        if self._podman.is_local:
            return cgroups.kernel(rootful=self.rootful)
        host = self._podman.info()["host"]
        controllers = frozenset(host.get("cgroupControllers") or ())
        return limits.Kernel(cgroups=host["cgroupVersion"], controllers=controllers, release=host["kernel"])
