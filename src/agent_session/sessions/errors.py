"""The expected failures that concern sessions, their names, archives and copies."""

from collections.abc import Iterable
from pathlib import Path

from agent_session.errors import ConflictError, EngineRefused, Hint, NotFoundError, UsageError


class BadName(UsageError):
    """A session's name that no container could carry."""

    code = "bad-name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a session: use letters, digits, '_', '.' and '-', starting with a "
            "letter or digit, at most 63",
            hint=Hint("start", ["-n", "my-project"]),
        )


class ArchiveRefused(UsageError):
    """A file that no session can be made of, and why."""

    code = "archive-refused"

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"cannot import {str(file)!r}: {reason}", hint=Hint("export", ["--help"]))


class SessionNotFound(NotFoundError):
    """No session of that name."""

    code = "session-not-found"

    def __init__(self, name: str) -> None:
        super().__init__(f"session '{name}' not found", hint=Hint("ls"))


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


class CopyRefused(ConflictError):
    """What cannot be copied into a session or out of it, and why."""

    code = "copy-refused"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"cannot copy {what!r}: {reason}", hint=Hint("cp", ["--help"]))


class FetchRefused(ConflictError):
    """What a session's clone sent and the host does not take, and why."""

    code = "fetch-refused"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}; nothing was changed", hint=Hint("diff", ["--help"]))


class SessionRunning(ConflictError):
    """`rm` of a running session."""

    code = "session-running"

    def __init__(self, name: str) -> None:
        super().__init__(f"cannot remove running session '{name}'", hint=Hint("stop", [name]))


class WorkAtRisk(ConflictError):
    """`rm -f` of a session with work that exists nowhere else; `lost` says which, a line each."""

    code = "work-at-risk"

    def __init__(self, name: str, lost: Iterable[str], *, clones: bool = False) -> None:
        fetch = (
            (Hint("fetch", ["--uncommitted", name], note="brings what its clones hold"),) if clones else ()
        )
        super().__init__(
            f"session '{name}' holds work that exists nowhere else:"
            + "".join(f"\n  {line}" for line in lost),
            hint=(
                *fetch,
                Hint("export", [name, f"{name}.tar.zst"], note="saves it"),
                Hint("rm", ["-f", "--discard-work", name], note="loses it"),
            ),
        )


class ProjectMoved(EngineRefused):
    """A project is gone, or a link to `now` has taken its place."""

    code = "project-moved"

    def __init__(self, name: str, path: Path, now: Path | None = None) -> None:
        state = f"is not what it was: it leads to {now} now" if now else "does not exist any more"
        super().__init__(
            f"{path}, a project of session '{name}', {state}. Nothing was started",
            hint=Hint(
                "move",
                [name, str(path), str(now or "NEW-PATH")],
                note="if you moved it: keeps the conversation",
            ),
        )
