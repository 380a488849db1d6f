"""Every expected failure has its message, exit code, code for programs, and hints at a next command.

    AgentSessionError
    |- UsageError 2          what was typed is not valid: BadName, ProjectRefused, ArchiveRefused, ...
    |- ConfigurationError 3  a configuration file, an agent's folder or an environment variable
    |- NotFoundError 4       SessionNotFound, AgentNotFound
    |- ConflictError 5       SessionConflict, SessionStopped, SessionRunning, WorkAtRisk, OrderRefused, ...
    |- EngineUnavailable 6   no container engine, no answer from it, too old, not set up
    |- EngineRefused 7       the engine answered, and refused: MountMoved
    |- BuildFailed 8         ImageMissing
    |- NotReady 9            the container runs, its screen does not come up
    |- AgentServerError 10   the agent, its server or its model failed
    |- TimedOut 124          not done within the time given
    `- Interrupted 130       Ctrl-C; SIGTERM and SIGHUP end with 128 + their number

The rest are in the errors.py of the room that they concern.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import NamedTuple

PROGRAM = "agent-session"


class Hint(NamedTuple):  # not a dataclass: importing those takes 5 ms, and this module comes first of all
    """A next command to type, as data: the command line prints it, an API gives its parts."""

    verb: str = ""
    """A verb of agent-session; "" for a command of another program."""
    arguments: Sequence[str] = ()
    """The verb's arguments, unquoted."""
    shell: str = ""
    """What follows them as a shell reads it (`| tar -t`), or the whole command of another program."""
    then: "Hint | None" = None
    """A command to type after this one has succeeded."""
    note: str = ""
    """A remark for people."""

    def command(self, program: str = PROGRAM) -> str:
        """The command, ready to be pasted into a shell; `program` is the name agent-session was called by."""
        own = shlex.join([program, self.verb, *self.arguments]) if self.verb else ""
        first = " ".join(word for word in (own, self.shell) if word)
        return f"{first} && {self.then.command(program)}" if self.then else first

    def text(self, program: str = PROGRAM) -> str:
        """The command and its remark."""
        return self.command(program) + (f"   ({self.note})" if self.note else "")


DOCTOR = Hint("doctor")
START_HELP = Hint("start", ["--help"])
SOME_PROJECT = Hint("start", shell="~/path/to/project")


def edit(file: Path | str) -> Hint:
    """Edit a file."""
    return Hint(shell=f"$EDITOR {shlex.quote(str(file))}")


class AgentSessionError(Exception):
    """An expected failure. `message` says what failed and why."""

    exit_code = 1
    code = "failed"
    """The same for every release: for programs, in kebab-case."""

    def __init__(self, message: str, *, hint: "Hint | Sequence[Hint]" = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hints = _hints(hint)
        """Commands to type next; each of them is a way on."""

    @property
    def hint(self) -> str:
        """The hints in words; "" where there is none."""
        return ", or: ".join(hint.text() for hint in self.hints)


def _hints(hint: "Hint | Sequence[Hint]") -> tuple[Hint, ...]:
    return (hint,) if isinstance(hint, Hint) else tuple(hint)


class UsageError(AgentSessionError):
    """What was typed cannot be meant."""

    exit_code = 2
    code = "usage"


class ConfigurationError(AgentSessionError):
    """A configuration file, an agent's folder or an environment variable has a value that is not valid."""

    exit_code = 3
    code = "configuration"

    def __init__(self, where: Path | str, reason: str, *, hint: Hint = START_HELP) -> None:
        super().__init__(f"{where}: {reason}", hint=hint)


class NotInstalled(ConfigurationError):
    """Python packages of an extra are not there; `missing` is the first of them, `used_by` says for what."""

    code = "extra-not-installed"

    def __init__(self, extra: str, missing: str, *, used_by: str) -> None:
        checkout = Path(__file__).resolve().parents[2]
        here = (checkout / "pyproject.toml").is_file()
        what = f"-e {shlex.quote(f'{checkout}[{extra}]')}" if here else f"'agent-session[{extra}]'"
        super().__init__(
            extra,
            f"the Python package {missing!r} is missing, which only {used_by} needs",
            hint=Hint(shell=f"{shlex.quote(sys.executable)} -m pip install {what}"),
        )


class NotFoundError(AgentSessionError):
    """Something was named that is not there."""

    exit_code = 4
    code = "not-found"


class ConflictError(AgentSessionError):
    """What was asked contradicts what is there."""

    exit_code = 5
    code = "conflict"


class EngineUnavailable(AgentSessionError):
    """The container engine is missing, does not answer, is too old or not set up."""

    exit_code = 6
    code = "engine-unavailable"


class EngineRefused(AgentSessionError):
    """The container engine answered, and refused."""

    exit_code = 7
    code = "engine-refused"


class BuildFailed(AgentSessionError):
    """An image, or a part of one, could not be made."""

    exit_code = 8
    code = "build-failed"


class NotReady(AgentSessionError):
    """The container runs, but its screen did not come up; `tail` is the end of its log."""

    exit_code = 9
    code = "not-ready"

    def __init__(self, name: str, reason: str, tail: Sequence[str] = ()) -> None:
        shown = "".join(f"\n  {line}" for line in tail)
        super().__init__(
            f"session '{name}' did not become ready: {reason}{shown}",
            hint=Hint("stop", [name], then=Hint("start", ["-n", name])),
        )


class AgentServerError(AgentSessionError):
    """The agent, its server or its model did not do as it should."""

    exit_code = 10
    code = "agent-failed"


class TimedOut(AgentSessionError):
    """Not done within the time given."""

    exit_code = 124
    code = "timed-out"


class Interrupted(AgentSessionError):
    """Somebody or something asked us to end: Ctrl-C, SIGTERM, SIGHUP."""

    exit_code = 130
    code = "interrupted"

    def __init__(self, signal: Signals = Signals.SIGINT) -> None:
        super().__init__("interrupted")
        self.exit_code = 128 + signal
