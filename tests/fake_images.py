"""The images of the engine in memory: an ImageStore."""

import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.engine.image_store import BuildSpec
from agent_session.errors import BuildFailed, EngineRefused

if TYPE_CHECKING:
    from tests.fake_engine import FakeEngine


class FakeImages:
    """References in a set. A build's RUN lines are the engine's `commands`."""

    def __init__(self, engine: "FakeEngine", local: Iterable[str], registry: Iterable[str]) -> None:
        self._engine = engine
        self._local = set(local)
        self._registry = set(registry)
        self._without_command = {"scratch"}
        self.left: set[str] = set()
        """What killed builds have left, as a test says."""

    def add(self, reference: str) -> None:
        """From now on there is such an image; for tests."""
        self._local.add(reference)

    def lose(self, reference: str) -> None:
        """Another program has removed the image, though a container has it; for tests."""
        self._local.discard(reference)

    def exists(self, reference: str) -> bool:
        """Whether the image is in the store."""
        return reference in self._local

    def references(self) -> set[str]:
        """All images."""
        return set(self._local)

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image from the registry that the test gave."""
        if reference not in self._registry:
            raise EngineRefused(f"fetching {reference}: no registry answers")
        yield f"Trying to pull {reference}..."
        self._local.add(reference)

    def import_archive(self, archive: Path, reference: str) -> None:
        """Make an image of an archive that can be read."""
        if not tarfile.is_tarfile(archive):
            raise EngineRefused(f"importing {archive}: it is not a tar archive")
        self._local.add(reference)

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Follow the FROM and RUN lines of a Containerfile."""
        steps = _steps(spec)
        for number, (verb, rest) in enumerate(steps, 1):
            line = f"STEP {number}/{len(steps)}: {verb} {rest}"
            yield line
            if verb == "FROM" and rest not in self._local | {"scratch"}:
                raise BuildFailed(f"{line}\n  {rest}: no such image")
            if verb == "RUN":
                yield from self._run(rest, line)
        self._tag(spec.tag, steps)
        yield f"Successfully tagged {spec.tag}"

    def _run(self, script: str, line: str) -> Iterator[str]:
        done = self._engine.commands("build", ["sh", "-c", script], b"")
        output = (done.stdout + done.stderr).decode().splitlines()
        yield from output
        if done.exit_code:
            last = (output or [line])[-1]
            raise BuildFailed(f"{last}\n  while running {script!r}: exit status {done.exit_code}")

    def _tag(self, tag: str, steps: Sequence[tuple[str, str]]) -> None:
        base = next(rest for verb, rest in steps if verb == "FROM")
        has_command = any(verb in {"CMD", "ENTRYPOINT"} and rest != "[]" for verb, rest in steps)
        if has_command or base not in self._without_command:
            self._without_command.discard(tag)
        else:
            self._without_command.add(tag)
        self._local.add(tag)

    def prepare(self, reference: str) -> None:
        """There are no layers to prepare."""
        if reference in self._without_command:
            raise BuildFailed("it has no command to run")

    def remove(self, reference: str) -> None:
        """Remove an image that no container has."""
        if all(container.image != reference for container in self._engine.containers("")):
            self._local.discard(reference)

    def stale_builds(self) -> list[str]:
        """What the test says."""
        return sorted(self.left)

    def remove_stale_builds(self, leftovers: Sequence[str]) -> None:
        """Then it is gone."""
        self.left -= set(leftovers)


def _steps(spec: BuildSpec) -> list[tuple[str, str]]:
    """The instructions of a Containerfile with the arguments' values in FROM."""
    content = spec.context["Containerfile"]
    text = (content.read_bytes() if isinstance(content, Path) else content).decode()
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    instructions = [line.partition(" ") for line in lines if line and not line.startswith(("#", "ARG"))]
    return [
        (verb, _filled(rest, spec.arguments) if verb == "FROM" else rest) for verb, _, rest in instructions
    ]


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: arguments.get(match[1], ""), text)
