"""Every expected failure: its message, exit code, machine-readable code and hints at the next command.

AgentSessionError ├── UsageError 2            what was typed cannot be meant │
BadName, ProjectRefused, ArchiveRefused, CannotProtect, NothingProtected ├── ConfigurationError 3    a
configuration file, an agent's folder or an environment variable ├── NotFoundError 4         SessionNotFound,
AgentNotFound ├── ConflictError 5         SessionConflict, SessionStopped, SessionRunning, CopyRefused,
WorkAtRisk, NameTaken, │                           OrderRefused, NeedsAnswer, ImageTooOld ├──
EngineUnavailable 6     no container engine, no answer from it, too old, not set up ├── EngineRefused 7
the engine answered, and refused ├── BuildFailed 8           ImageMissing ├── NotReady 9              the
container runs, its screen does not come up ├── AgentServerError 10     the agent, its server or its model
failed ├── TimedOut 124            not done within the time given └── Interrupted 130         Ctrl-C; SIGTERM
and SIGHUP end with 128 + their number
"""

import shlex
from collections.abc import Iterable, Sequence
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


class BadName(UsageError):
    """A session's name that no container could carry."""

    code = "bad-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a session: use letters, digits, '_', '.' and '-', starting with a "
            "letter or digit, at most 63",
            hint=Hint("start", ["-n", "my-project"]),
        )


class ProjectRefused(UsageError):
    """A directory that will not be shown to an agent, and why."""

    code = "project-refused"

    def __init__(self, path: Path | str, reason: str, *, hint: Hint = SOME_PROJECT) -> None:
        super().__init__(f"cannot use {str(path)!r} as a project: {reason}", hint=hint)


class CannotProtect(UsageError):
    """A path in a project that the agent must not change, and that no mount can keep from it."""

    code = "cannot-protect"

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            f"{path} is a symbolic link, which cannot be protected from the agent: what it replaces it by "
            "could run on this machine",
            hint=Hint("start", ["--unprotected", name]),
        )


class NothingProtected(UsageError):
    """--unprotected with a path that is not protected anyway."""

    code = "nothing-protected"

    def __init__(self, path: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{path!r} is not protected in any project; protected are: {', '.join(known)}",
            hint=START_HELP,
        )


class ArchiveRefused(UsageError):
    """A file that no session can be made of, and why."""

    code = "archive-refused"

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"cannot import {str(file)!r}: {reason}", hint=Hint("export", ["--help"]))


class ConfigurationError(AgentSessionError):
    """A configuration file, an agent's folder or an environment variable has a value that is not valid."""

    exit_code = 3
    code = "configuration"

    def __init__(self, where: Path | str, reason: str, *, hint: Hint = START_HELP) -> None:
        super().__init__(f"{where}: {reason}", hint=hint)


class NotFoundError(AgentSessionError):
    """Something was named that is not there."""

    exit_code = 4
    code = "not-found"


class SessionNotFound(NotFoundError):
    """No session of that name."""

    code = "session-not-found"

    def __init__(self, name: str) -> None:
        super().__init__(f"session '{name}' not found", hint=Hint("ls"))


class AgentNotFound(NotFoundError):
    """No agent of that name."""

    code = "agent-not-found"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"agent '{name}' not found; there are: {', '.join(sorted(known))}", hint=Hint("agents")
        )


class ConflictError(AgentSessionError):
    """What was asked contradicts what is there."""

    exit_code = 5
    code = "conflict"


class SessionConflict(ConflictError):
    """The session exists with another agent or other projects; `instead` is the command for a new one."""

    code = "session-conflict"

    def __init__(self, name: str, *, has: str, asked: str, instead: Hint) -> None:
        super().__init__(
            f"session '{name}' already exists with {has}; asked for: {asked}",
            hint=(instead, Hint("start", ["-n", name], note="the session that exists")),
        )


class SessionStopped(ConflictError):
    """Something was asked of a session that does not run."""

    code = "session-stopped"

    def __init__(self, name: str) -> None:
        super().__init__(f"session '{name}' is stopped", hint=Hint("restart", [name]))


class OrderRefused(ConflictError):
    """An agent that refused an order; `doing` is its state's value, "" where it did not say."""

    code = "agent-refused"

    def __init__(self, name: str, message: str, *, doing: str = "") -> None:
        hints = {
            "working": Hint("wait", [name]),
            "waiting": Hint("answer", [name, "once"]),
            "exited": Hint("restart", [name]),
        }
        super().__init__(message, hint=hints.get(doing, Hint("screen", [name])))
        self.doing = doing


class NeedsAnswer(ConflictError):
    """A turn that cannot go on before somebody answers its question."""

    code = "needs-answer"

    def __init__(self, name: str, question: str, choice: str = "once") -> None:
        super().__init__(
            f"session '{name}' waits for an answer: {question}",
            hint=Hint("answer", [name, choice]),
        )


class ImageTooOld(ConflictError):
    """An order to a session whose image is from before there were any."""

    code = "image-too-old"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"session '{name}' has an image of an older agent-session, which takes no orders",
            hint=Hint("update", [name]),
        )


class CopyRefused(ConflictError):
    """What cannot be copied into a session or out of it, and why."""

    code = "copy-refused"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"cannot copy {what!r}: {reason}", hint=Hint("cp", ["--help"]))


class SessionRunning(ConflictError):
    """`rm` of a running session."""

    code = "session-running"

    def __init__(self, name: str) -> None:
        super().__init__(f"cannot remove running session '{name}'", hint=Hint("stop", [name]))


class WorkAtRisk(ConflictError):
    """`rm -f` of a session with work that exists nowhere else; `lost` says which, a line each."""

    code = "work-at-risk"

    def __init__(self, name: str, lost: Iterable[str]) -> None:
        super().__init__(
            f"session '{name}' holds work that exists nowhere else:"
            + "".join(f"\n  {line}" for line in lost),
            hint=(
                Hint("export", [name, f"{name}.tar.zst"], note="saves it"),
                Hint("rm", ["-f", "--discard-work", name], note="loses it"),
            ),
        )


class NameTaken(ConflictError):
    """A container that is not a session carries the name."""

    code = "name-taken"

    def __init__(self, name: str, container: str) -> None:
        super().__init__(
            f"the container '{container}' exists already and is not a session of agent-session"
            f" (the name '{name}' is free once that container is removed)",
            hint=Hint("start", ["-n", "OTHER-NAME"]),
        )


class EngineUnavailable(AgentSessionError):
    """The container engine is missing, does not answer, is too old or not set up."""

    exit_code = 6
    code = "engine-unavailable"


class EngineRefused(AgentSessionError):
    """The container engine answered, and refused."""

    exit_code = 7
    code = "engine-refused"


class MountMoved(EngineRefused):
    """What would be mounted is not what was to be: a link or another directory has taken its place."""

    code = "mount-moved"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is not what it was: there, or on the way there, is a link now, or it was moved. "
            "Nothing was started, "
            "because the session would have got another directory. Somebody who can write there did that: "
            "look before you go on",
            hint=Hint(shell=f"namei -l {shlex.quote(path)}"),
        )


class BuildFailed(AgentSessionError):
    """An image, or a part of one, could not be made."""

    exit_code = 8
    code = "build-failed"


class ImageMissing(BuildFailed):
    """The agent's image is not there and was not to be built."""

    code = "image-missing"

    def __init__(self, agent: str) -> None:
        super().__init__(
            f"Image not built: agent '{agent}' has no current image", hint=Hint("build", [agent])
        )


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
