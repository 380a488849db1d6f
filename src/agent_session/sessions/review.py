"""What a session's agent changed of all that this machine runs by itself, told where people look.

The baseline is made before the session's container starts for the first time, and lives until `rm`.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agent_session.errors import Hint
from agent_session.host import paths
from agent_session.workspace.projects import Project

if TYPE_CHECKING:
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session
    from agent_session.workspace.review import Change, Review

LISTING_SECONDS = 0.5
"""For the looks at all sessions of a list."""
MOST_LINES = 2000
"""Of one file's difference."""
NAMED = 2
"""Changes that a line names."""


def host_directories(one: "Session | SessionRequest") -> list[Project]:
    """The directories of this machine in which a session may write."""
    kob = [Project(source=one.kob.resolve(), target=PurePosixPath(one.kob))] if one.kob else []
    return [*(project for project in one.projects if not project.read_only), *kob]


def known_repositories(name: str) -> dict[PurePosixPath, list[str]]:
    """The repositories that a session's projects had when it was made, by the projects' places inside."""
    if not (paths.review_folder() / name).is_dir():
        return {}
    from agent_session.workspace import baseline

    known = baseline.load(name)
    return {tree.target: tree.repositories for tree in known.trees} if known else {}


def record(request: "SessionRequest") -> None:
    """Record what the projects of a new session hold; a state directory that is full is no reason to stop."""
    from agent_session.workspace import baseline, protect_mode

    with contextlib.suppress(OSError):
        if request.options.protect == protect_mode.OFF:
            baseline.forget(request.name)
            return
        baseline.record(
            request.name,
            host_directories(request),
            request.protection.watched,
            mode=request.options.protect,
            left_out=request.options.unprotected,
        )


def keep(request: "SessionRequest") -> None:
    """Keep the baseline of a session that starts again; made anew where there is none that fits."""
    from agent_session.workspace import baseline, protect_mode

    known = baseline.load(request.name)
    mode = request.options.protect
    if known is None or mode == protect_mode.OFF or (mode, known.mode) == ("review", "strict"):
        record(request)
        return
    with contextlib.suppress(OSError):
        baseline.extend(known, host_directories(request), request.protection.watched)
        baseline.renew(known, host_directories(request), request.options.unprotected)


def rename(name: str, new: str) -> None:
    """Have what was recorded of a session under its new name."""
    with contextlib.suppress(OSError):
        (paths.review_folder() / name).rename(paths.review_folder() / new)


def forget(name: str) -> None:
    """Forget what was recorded of a session that is removed."""
    if (paths.review_folder() / name).is_dir():
        from agent_session.workspace import baseline

        baseline.forget(name)


def look(session: "Session") -> "Review":
    """Look for all that differs, new repositories included."""
    from agent_session.workspace import review

    return review.look(session.name, host_directories(session))


def last_known(name: str) -> "tuple[list[Project], Review]":
    """The directories that a session had at its last start, and what differs in them; asks no engine."""
    from agent_session.workspace import baseline, review

    known = baseline.load(name)
    projects = [Project(source=tree.source, target=tree.target) for tree in known.trees] if known else []
    return projects, review.look(name, projects)


def counts(sessions: Sequence["Session"]) -> dict[str, int]:
    """How many paths differ, by session; those in which none does are left out."""
    folder = paths.review_folder()
    recorded = [session for session in sessions if (folder / session.name).is_dir()]
    if not recorded:
        return {}
    from agent_session.workspace import review

    deadline = time.monotonic() + LISTING_SECONDS
    found = {
        session.name: review.count(session.name, host_directories(session), deadline=deadline)
        for session in recorded
    }
    return {name: count for name, count in found.items() if count}


def shown(projects: Sequence[Project], change: "Change") -> str:
    """A change's path as a person types it: with its project in front, where there are several."""
    if len(projects) == 1:
        return change.path
    return f"{change.target.name}/{change.path}"


def summary(name: str, projects: Sequence[Project], found: "Review", *, remark: str = "") -> str:
    """What differs, in one line; "" where nothing does. It ends with a remark, or the command to see more."""
    changes = found.changes
    if not changes:
        return ""
    told = [f"{shown(projects, one)} ({one.kind}: {one.why})" for one in changes[:NAMED]]
    more = len(changes) - NAMED
    rest = f", and {more} more" if more > 0 else ""
    remark = remark or Hint("review", [name]).command()
    return f"differs since session '{name}' began, and runs by itself: {', '.join(told)}{rest}; {remark}"


def lines(session: "Session", change: "Change") -> Iterator[str]:
    """Give what differs at a path, as `diff -u` shows it."""
    import difflib

    from agent_session.workspace import verdict

    for path, before, after in verdict.contents(session.name, change):
        name = shown(host_directories(session), change) if path == change.path else path
        if before is None or after is None or b"\0" in before + after:
            yield f"{name}: it is too large or no text, or its former content was not kept"
            continue
        old, new = (one.decode("utf-8", "replace").expandtabs().splitlines() for one in (before, after))
        unified = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
        for number, line in enumerate(unified):
            if number >= MOST_LINES:
                yield f"... and more: {change.host_path}"
                break
            yield line


def chosen(
    session: "Session", changes: Sequence["Change"], words: Sequence[str], here: Path
) -> list["Change"]:
    """The changes that paths mean: as they are listed, absolute, or relative to a directory of the host.

    Raises NotFoundError for a path at or below which nothing differs.
    """
    from agent_session.errors import NotFoundError

    projects = host_directories(session)
    found = []
    for word in words:
        typed = word.rstrip("/") or word
        absolute = here / typed
        meant = [
            one
            for one in changes
            if shown(projects, one) == typed
            or shown(projects, one).startswith(f"{typed}/")
            or absolute in (one.host_path, *one.host_path.parents)
        ]
        if not meant:
            raise NotFoundError(f"nothing differs at {word!r}", hint=Hint("review", [session.name]))
        found += [one for one in meant if one not in found]
    return found
