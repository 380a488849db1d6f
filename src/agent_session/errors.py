"""Every expected failure: its words, its hint (a command to type) and its exit code.

AgentSessionError
├── UsageError 2            what was typed cannot be meant
│                           BadName, ProjectRefused, ArchiveRefused, CannotProtect, NothingProtected
├── ConfigurationError 3    a configuration file, an agent's folder or an environment variable
├── NotFoundError 4         SessionNotFound, AgentNotFound
├── ConflictError 5         SessionConflict, SessionStopped, SessionRunning, CopyRefused, WorkAtRisk, NameTaken,
│                           OrderRefused, NeedsAnswer, ImageTooOld
├── EngineUnavailable 6     no Podman, no socket, too old, not set up
├── EngineRefused 7         Podman answered, and said no
├── BuildFailed 8           ImageMissing
├── NotReady 9              the container runs, its screen does not come up
├── AgentServerError 10     the agent, its server or its model did not do as it should
├── TimedOut 124            not done within the time given
└── Interrupted 130         Ctrl-C; SIGTERM and SIGHUP end with 128 + their number
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import Signals


class AgentSessionError(Exception):
    """An expected failure. `message` says what and why, `hint` is the command to type next ("" where there is none)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AgentSessionError):
    """What was typed cannot be meant."""

    exit_code = 2


class BadName(UsageError):
    """A session's name that no container could carry."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a session: use letters, digits, '_', '.' and '-', starting with a letter or digit, at most 63",
            hint="agent-session start -n my-project",
        )


class ProjectRefused(UsageError):
    """A directory that will not be shown to an agent, and why."""

    def __init__(
        self, path: Path | str, reason: str, *, hint: str = "agent-session start ~/path/to/project"
    ) -> None:
        super().__init__(f"cannot use {str(path)!r} as a project: {reason}", hint=hint)


class CannotProtect(UsageError):
    """A path in a project that the agent must not change, and that no mount can keep from it."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            f"{path} is a symbolic link, which cannot be protected from the agent: what it replaces it by could run on this machine",
            hint=f"agent-session start --unprotected {shlex.quote(name)}",
        )


class NothingProtected(UsageError):
    """--unprotected with a path that is not protected anyway."""

    def __init__(self, path: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{path!r} is not protected in any project; protected are: {', '.join(known)}",
            hint="agent-session start --help",
        )


class ArchiveRefused(UsageError):
    """A file that no session can be made of, and why."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"cannot import {str(file)!r}: {reason}", hint="agent-session export --help")


class ConfigurationError(AgentSessionError):
    """A configuration file, an agent's folder or an environment variable says something that cannot be followed."""

    exit_code = 3

    def __init__(self, where: Path | str, reason: str, *, hint: str = "agent-session start --help") -> None:
        super().__init__(f"{where}: {reason}", hint=hint)


class NotFoundError(AgentSessionError):
    """Something was named that is not there."""

    exit_code = 4


class SessionNotFound(NotFoundError):
    """No session of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"session '{name}' not found", hint="agent-session ls")


class AgentNotFound(NotFoundError):
    """No agent of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"agent '{name}' not found; there are: {', '.join(sorted(known))}", hint="agent-session agents"
        )


class ConflictError(AgentSessionError):
    """What was asked contradicts what is there."""

    exit_code = 5


class SessionConflict(ConflictError):
    """The session exists and has another agent or other projects."""

    def __init__(self, name: str, *, has: str, asked: str) -> None:
        super().__init__(
            f"session '{name}' already exists with {has}; asked for: {asked}",
            hint=f"agent-session start -n OTHER-NAME ..., or: agent-session rm {shlex.quote(name)}",
        )


class SessionStopped(ConflictError):
    """Something was asked of a session that does not run."""

    def __init__(self, name: str) -> None:
        super().__init__(f"session '{name}' is stopped", hint=f"agent-session restart {shlex.quote(name)}")


class OrderRefused(ConflictError):
    """An agent that does not do what it was told to; `doing` is its state's value, "" where it did not say."""

    def __init__(self, name: str, message: str, *, doing: str = "") -> None:
        quoted = shlex.quote(name)
        commands = {
            "working": f"wait {quoted}",
            "waiting": f"answer {quoted} once",
            "exited": f"attach {quoted}",
        }
        super().__init__(message, hint=f"agent-session {commands.get(doing, f'screen {quoted}')}")
        self.doing = doing


class NeedsAnswer(ConflictError):
    """A turn that cannot go on before somebody answers its question."""

    def __init__(self, name: str, question: str, choice: str = "once") -> None:
        super().__init__(
            f"session '{name}' waits for an answer: {question}",
            hint=f"agent-session answer {shlex.quote(name)} {shlex.quote(choice)}",
        )


class ImageTooOld(ConflictError):
    """An order to a session whose image is from before there were any."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"session '{name}' has an image of an older agent-session, which takes no orders",
            hint=f"agent-session update {shlex.quote(name)}",
        )


class CopyRefused(ConflictError):
    """What cannot be copied into a session or out of it, and why."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"cannot copy {what!r}: {reason}", hint="agent-session cp --help")


class SessionRunning(ConflictError):
    """`rm` of a running session."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"cannot remove running session '{name}'", hint=f"agent-session stop {shlex.quote(name)}"
        )


class WorkAtRisk(ConflictError):
    """`rm -f` of a session with work that exists nowhere else; `lost` says which, a line each."""

    def __init__(self, name: str, lost: Iterable[str]) -> None:
        quoted = shlex.quote(name)
        super().__init__(
            f"session '{name}' holds work that exists nowhere else:"
            + "".join(f"\n  {line}" for line in lost),
            hint=f"agent-session rm -f --discard-work {quoted}, or save it first: agent-session export {quoted} {quoted}.tar.zst",
        )


class NameTaken(ConflictError):
    """A container that is not a session carries the name."""

    def __init__(self, name: str, container: str) -> None:
        super().__init__(
            f"the container '{container}' exists already and is not a session of agent-session",
            hint=f"agent-session start -n OTHER-NAME, or: podman rm {container} (session name '{name}' is then free)",
        )


class EngineUnavailable(AgentSessionError):
    """No Podman that could be talked to."""

    exit_code = 6


class EngineRefused(AgentSessionError):
    """Podman answered, and said no."""

    exit_code = 7


class BuildFailed(AgentSessionError):
    """An image, or a part of one, could not be made."""

    exit_code = 8


class ImageMissing(BuildFailed):
    """The agent's image is not there and was not to be built."""

    def __init__(self, agent: str) -> None:
        super().__init__(
            f"Image not built: agent '{agent}' has no current image", hint=f"agent-session build {agent}"
        )


class NotReady(AgentSessionError):
    """The container runs, but its screen did not come up; `tail` is the end of its log."""

    exit_code = 9

    def __init__(self, name: str, reason: str, tail: Sequence[str] = ()) -> None:
        shown = "".join(f"\n  {line}" for line in tail)
        super().__init__(
            f"session '{name}' did not become ready: {reason}{shown}",
            hint=f"agent-session stop {shlex.quote(name)} && agent-session start -n {shlex.quote(name)}",
        )


class AgentServerError(AgentSessionError):
    """The agent, its server or its model did not do as it should."""

    exit_code = 10


class TimedOut(AgentSessionError):
    """Not done within the time given."""

    exit_code = 124


class Interrupted(AgentSessionError):
    """Somebody or something asked us to end: Ctrl-C, SIGTERM, SIGHUP."""

    exit_code = 130

    def __init__(self, signal: Signals = Signals.SIGINT) -> None:
        super().__init__("interrupted")
        self.exit_code = 128 + signal
