"""The expected failures that concern projects and their protection."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agent_session.errors import SOME_PROJECT, START_HELP, Hint, UsageError


class ProjectRefused(UsageError):
    """A directory that will not be shown to an agent, and why."""

    code = "project-refused"

    def __init__(self, path: Path | str, reason: str, *, hint: Hint | Sequence[Hint] = SOME_PROJECT) -> None:
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


class TooManyRepositories(UsageError):
    """A project with more repositories than can be protected; `found` are their directories."""

    code = "too-many-repositories"

    def __init__(self, project: Path, found: Sequence[Path], most: int) -> None:
        above = Counter(path.relative_to(project).parts[:1] for path in found if path != project)
        where = ", ".join("/".join(parts) for parts, _ in above.most_common(3))
        some, _ = above.most_common(1)[0]
        super().__init__(
            f"{project} has {len(found)} git repositories in it (most are in or below: {where}), and only "
            f"{most} can be protected. If you did not make them, an agent did: look, and remove them. "
            "Or name fewer directories, or leave some to the agent",
            hint=(
                Hint("start", [str(project / "/".join(some))]),
                Hint("start", ["--unprotected", "/".join(some), str(project)]),
            ),
        )


class IgnoresCase(UsageError):
    """A project on a file system that ignores case, where masks hold no name."""

    code = "ignores-case"

    def __init__(self, project: Path) -> None:
        super().__init__(
            f"{project} is on a file system that ignores case: --protect strict cannot be promised there, as "
            "a name in another case is another way to the same file",
            hint=Hint("start", ["--protect", "review", str(project)]),
        )
