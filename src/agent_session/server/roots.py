"""Which directories of this machine a team's users may work in: those below roots that are theirs.

Whoever works in a mounted directory could put a link in the place of what is below it, between a look and a
mount. So no directory that is asked for lies in or around one in which a session of anybody can write.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session import inside
from agent_session.errors import ConflictError, Hint
from agent_session.server.auth.scopes import Caller
from agent_session.server.settings import Settings
from agent_session.sessions import find
from agent_session.workspace import clone_sources, git_urls
from agent_session.workspace.clones import Clone
from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.projects import split_mode

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

PLACES = re.compile(r"\{(login|id)\}")
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NOT_YOURS = "it is not in a directory that your administrator has given you"
ASK = Hint(shell="GET /auth/me", note="an administrator names your directories in AGENT_SESSION_ROOTS")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A directory that a session works in, or borrows objects from; `written` where the session may write."""

    path: Path
    written: bool


class Roots:
    """Directories that are asked for just now, beside those of sessions."""

    def __init__(self) -> None:
        self._asked: list[Place] = []

    @asynccontextmanager
    async def lent(
        self, parts: "Parts", caller: Caller, projects: Sequence[str], *, mount: bool
    ) -> AsyncIterator[tuple[str, ...]]:
        """Give what was asked for as it may be used, for as long as the session is made.

        Raises ProjectRefused for what is not the caller's, ConflictError for what others could change.
        """
        if not caller.owner:
            yield tuple(projects)
            return
        given, places = await parts.threads.run(lambda: _given(parts, caller, projects, mount=mount))
        self._asked += places
        try:
            there = await parts.threads.run(lambda: _places(parts)) if places else []
            for one in places:
                others = [other for other in self._asked if other not in places]
                if any(_disturbs(one, other) for other in (*there, *others)):
                    raise ConflictError(
                        f"{one.path} lies in, around or beside one in which a session works",
                        hint=Hint(shell="GET /api/sessions"),
                    )
            yield given
        finally:
            for one in places:
                self._asked.remove(one)


def of(settings: Settings, caller: Caller) -> list[Path]:
    """Return a user's roots: /dir/{login}, /dir/{id}, or NAME=/dir for one user."""
    found = []
    words = {"login": caller.login, "id": caller.owner.removeprefix("github:")}
    for entry in settings.roots.split(","):
        name, equals, path = entry.strip().rpartition("=")
        if not path or (equals and name.lower() not in {words["login"].lower(), f"id:{words['id']}"}):
            continue
        if any(not SAFE.fullmatch(words[place]) for place in PLACES.findall(path)):
            continue
        found.append(Path(PLACES.sub(lambda place: words[place[1]], path)).resolve())
    return found


def _given(
    parts: "Parts", caller: Caller, projects: Sequence[str], *, mount: bool
) -> tuple[tuple[str, ...], list[Place]]:
    roots = of(parts.settings, caller)
    given, places = [], []
    for text in projects:
        typed, branch, suffix = _read(text, mount=mount)
        if typed is None:
            given.append(text)
            continue
        if mount and not parts.settings.allow_mounts:
            raise ProjectRefused(text, "directories are cloned here, not mounted", hint=ASK)
        path = _below(roots, text, typed)
        given.append(f"{path}{suffix}")
        if not mount:
            places += _cloned(parts, roots, text, path, branch)
        places.append(Place(path=path, written=mount and suffix != ":ro"))
    return tuple(given), places


def _read(text: str, *, mount: bool) -> tuple[str | None, str, str]:
    """A path, its branch and what follows it; no path for a repository elsewhere."""
    scheme, scp = git_urls.SCHEME.match(text), git_urls.SCP.fullmatch(text.partition("#")[0])
    if (scheme and scheme[1].lower() != "file") or (scp and not scheme and not text.startswith("/")):
        git_urls.read(text)
        return None, "", ""
    if scheme:
        url = git_urls.read(text)
        path, branch = (str(url.path), url.branch) if url else (text, "")
    elif mount:
        path, only = split_mode(text)
        return path, "", ":ro" if only else ""
    else:
        path, branch = git_urls.split_branch(text)
    return path, branch, f"#{branch}" if branch else ""


def _below(roots: Sequence[Path], text: str, typed: str) -> Path:
    """The real directory. What is not below a root is told alike, whether it is there or not."""
    try:
        path = Path(typed).resolve() if typed.startswith("/") else None
    except (OSError, RuntimeError, ValueError):
        path = None
    if path is None or not any(path.is_relative_to(root) for root in roots):
        raise ProjectRefused(text, NOT_YOURS, hint=ASK)
    if not path.is_dir():
        raise ProjectRefused(text, "there is no such directory", hint=ASK)
    return path


def _cloned(parts: "Parts", roots: Sequence[Path], text: str, path: Path, branch: str) -> list[Place]:
    """What else is read where a directory is cloned: its repository, which may lie elsewhere."""
    installation = parts.installation
    clone = Clone(source=str(path), target=inside.WORKSPACE / path.name, branch=branch)
    _, repository = clone_sources.read(
        clone, installation.home, installation.environment, allow_secrets=False
    )
    real = [repository.top.resolve(), repository.git_directory.resolve(), repository.objects.resolve()]
    if any(not any(one.is_relative_to(root) for root in roots) for one in real):
        raise ProjectRefused(text, f"its repository is elsewhere: {NOT_YOURS}", hint=ASK)
    if repository.borrows:
        raise ProjectRefused(text, "its repository borrows objects of another one", hint=ASK)
    return [Place(path=one, written=False) for one in real]


def _places(parts: "Parts") -> list[Place]:
    found = []
    for session in find.list_sessions(parts.engine):
        found += [Place(path=one.source, written=not one.read_only) for one in session.projects]
        found += [Place(path=one.directory, written=False) for one in session.clones if one.directory]
        found += [Place(path=one.objects, written=False) for one in session.clones if one.objects]
    return found


def _disturbs(one: Place, other: Place) -> bool:
    """Whether a session that writes in one could change what the other is, before it is looked at again."""
    if one.path == other.path:
        return one.written != other.written
    near = one.path.is_relative_to(other.path) or other.path.is_relative_to(one.path)
    return near and (one.written or other.written)
