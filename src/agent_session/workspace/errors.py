"""The expected failures that concern projects and their protection."""

from collections.abc import Sequence
from pathlib import Path

from agent_session.errors import SOME_PROJECT, START_HELP, Hint, UsageError


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
