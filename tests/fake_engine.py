"""A container engine in memory. It keeps the promises of `agent_session.engine.Engine`, and records no calls.

What commands do in its containers, and in its builds, is a function that a test gives it.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from agent_session.engine import BuildSpec, Container, ContainerSpec, ExecResult
from agent_session.errors import BuildFailed, ConflictError, NameTaken, NotFoundError, PodmanRefused

Commands = Callable[[str, Sequence[str], bytes], ExecResult]
"""(container's name, argv, stdin) -> how it ended; TimeoutError stands for a command that does not end in time."""


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
    ) -> None:
        self.rootful = rootful
        self.architecture = "amd64"
        self.closed = False
        self._images = set(images)
        self._registry = set(registry)
        self._commands = commands
        self._containers: dict[str, _Kept] = {}
        self._volumes: dict[str, Mapping[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is left; whoever asks again opens it again, as Podman's does."""
        self.closed = True

    def check(self) -> None:
        """Memory is always set up."""

    def containers(self, label: str) -> list[Container]:
        """All containers that carry the label."""
        return [kept.container for kept in self._containers.values() if label in kept.container.labels]

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        kept = self._containers.get(name)
        return kept.container if kept else None

    def create(self, spec: ContainerSpec) -> None:
        """Make a container, and its volumes where they are not there yet."""
        if spec.name in self._containers:
            raise NameTaken(spec.labels.get("agent-session.name", spec.name), spec.name)
        if spec.image not in self._images:
            raise NotFoundError(f"creating {spec.name}: {spec.image}: no such image")
        for mount in spec.mounts:
            if mount.kind == "bind" and not Path(mount.source).exists():
                raise PodmanRefused(f"creating {spec.name}: statfs {mount.source}: no such file or directory")
        for mount in spec.mounts:
            if mount.kind == "volume":
                self._volumes.setdefault(mount.source, dict(spec.labels))
        made = Container(
            name=spec.name,
            id=secrets.token_hex(32),
            image=spec.image,
            running=False,
            created=datetime.now(UTC),
            labels=dict(spec.labels),
        )
        self._containers[spec.name] = _Kept(spec=spec, container=made)

    def start(self, name: str) -> None:
        """Start a container."""
        kept = self._kept(name)
        if not kept.container.running:
            self._put(kept, replace(kept.container, running=True, started=datetime.now(UTC)))

    def stop(self, name: str) -> None:
        """End a container."""
        kept = self._kept(name)
        self._put(kept, replace(kept.container, running=False))

    def remove(self, name: str) -> None:
        """Remove a container; its volumes stay."""
        self._containers.pop(name, None)

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container has."""
        users = [kept for kept in self._containers.values() if any(m.kind == "volume" and m.source == name for m in kept.spec.mounts)]
        if users:
            raise ConflictError(f"removing the volume {name}: it is being used by {users[0].spec.name}")
        self._volumes.pop(name, None)

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a volume."""
        return self._volumes.get(name)

    def run(self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float = 60) -> ExecResult:
        """Run a command as the test's function says."""
        kept = self._containers.get(name)
        if kept is None or not kept.container.running:
            raise PodmanRefused(f"running {command[0]} in {name}: can only create exec sessions on running containers")
        try:
            return self._commands(name, command, stdin)
        except TimeoutError:
            return ExecResult(exit_code=124, stderr=f"no answer within {timeout:g} s".encode())

    def attach_command(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """An argv of the same shape as Podman's."""
        variables = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
        return ["podman", "exec", "-it", "--detach-keys", "", *variables, name, *command]

    def image_exists(self, reference: str) -> bool:
        """Whether the image is there."""
        return reference in self._images

    def images(self) -> set[str]:
        """All images."""
        return set(self._images)

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image from the registry that the test gave."""
        if reference not in self._registry:
            raise PodmanRefused(f"fetching {reference}: no registry answers")
        yield f"Trying to pull {reference}..."
        self._images.add(reference)

    def import_image(self, archive: Path, reference: str) -> None:
        """Make an image of an archive that can be read."""
        if not archive.read_bytes():
            raise PodmanRefused(f"importing {archive}: it is empty")
        self._images.add(reference)

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Follow a Containerfile's FROM and RUN lines; RUN is done by the test's function."""
        steps = _steps(spec)
        for number, (verb, rest) in enumerate(steps, 1):
            line = f"STEP {number}/{len(steps)}: {verb} {rest}"
            yield line
            if verb == "FROM" and rest not in self._images:
                raise BuildFailed(f"{line}\n  {rest}: no such image")
            if verb == "RUN":
                done = self._commands("build", ["sh", "-c", rest], b"")
                said = (done.stdout + done.stderr).decode().splitlines()
                yield from said
                if done.exit_code:
                    raise BuildFailed(f"{(said or [line])[-1]}\n  while running {rest!r}: exit status {done.exit_code}")
        self._images.add(spec.tag)
        yield f"Successfully tagged {spec.tag}"

    def warm(self, reference: str) -> None:
        """There are no layers to prepare."""

    def remove_image(self, reference: str) -> None:
        """Remove an image that no container has."""
        if all(kept.spec.image != reference for kept in self._containers.values()):
            self._images.discard(reference)

    def _kept(self, name: str) -> _Kept:
        if name not in self._containers:
            raise NotFoundError(f"no container with name {name}")
        return self._containers[name]

    def _put(self, kept: _Kept, container: Container) -> None:
        self._containers[container.name] = replace(kept, container=container)


def _steps(spec: BuildSpec) -> list[tuple[str, str]]:
    """The instructions of a Containerfile with the arguments' values in FROM."""
    content = spec.context["Containerfile"]
    text = (content.read_bytes() if isinstance(content, Path) else content).decode()
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    instructions = [line.partition(" ") for line in lines if line and not line.startswith(("#", "ARG"))]
    return [(verb, _filled(rest, spec.arguments) if verb == "FROM" else rest) for verb, _, rest in instructions]


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: arguments.get(match[1], ""), text)
