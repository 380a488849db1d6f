"""A command in a container: one to run in a container of its own, and how a command has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_session.engine.container import Mount


@dataclass(frozen=True, kw_only=True)
class ExecResult:
    """How a command in a container ended."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def message(self) -> str:
        """The reason of a failure: its stderr, or "exit code N" where that is empty.

        It may hold control characters.
        """
        return self.stderr.decode("utf-8", "replace").strip() or f"exit code {self.exit_code}"


@dataclass(frozen=True, kw_only=True)
class OneOff:
    """A command in a throw-away container, run as the agent's user with as few rights as possible."""

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    reads_all: bool = False
    """Whether it may read every file of its mounts, whatever its mode; it is not the agent's user then."""
    network: bool = False
