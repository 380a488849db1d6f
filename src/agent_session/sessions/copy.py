"""Files copied into a session and out of it, as tars that a program in the container reads and writes.

A stopped session is reached by a container of its own with the session's volumes and projects.
"""

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agent_session import inside, sanitize
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint, NotFoundError
from agent_session.host import fences
from agent_session.sessions import host_tar, plan, untrusted_tar
from agent_session.sessions.errors import CopyRefused
from agent_session.sessions.session import Session
from agent_session.workspace import placeholders

SECONDS = 6 * 3600


@dataclass(frozen=True, kw_only=True)
class Place:
    """A path in a session as it was typed: relative to where its agent starts; ~/ is its home.

    An empty path is the start itself.
    """

    session: Session
    typed: str

    @property
    def path(self) -> str:
        """The absolute path; a /. at its end stays, as it means the content."""
        if self.typed == "~" or self.typed.startswith("~/"):
            return f"{inside.HOME}{self.typed[1:]}"
        return posixpath.join(str(plan.workdir(self.session)), self.typed)


def out(engine: Engine, place: Place, target: str, fenced: Sequence[Path]) -> list[str]:
    """Copy a file or a folder out of a session to a host path; returns lines about omitted files.

    As cp -R: into `target` where that is a directory, and files that are there are replaced. `fenced` are
    the directories that agents write in (find.written_by_agents): no link there is followed.
    """

    def take(stream: IO[bytes]) -> list[str]:
        return untrusted_tar.receive(
            stream,
            target,
            name=posixpath.basename(place.path.rstrip("/")),
            fenced=fenced,
            held=_held_names(place),
        )

    return _piped(engine, place, ["get", place.path], take, outwards=True)


def _held_names(place: Place) -> frozenset[str]:
    """The names that placeholders hold below the place now: no files of the project."""
    top = posixpath.normpath(place.path)
    targets = [
        posixpath.join(str(project.target), held.path.relative_to(project.source).as_posix())
        for held in place.session.placeholders
        for project in place.session.projects
        if held.path.is_relative_to(project.source) and placeholders.is_placeholder(held)
    ]
    return frozenset(posixpath.relpath(path, top) for path in targets if path.startswith(f"{top}/"))


def into(engine: Engine, source: str, place: Place, fenced: Sequence[Path]) -> list[str]:
    """Copy a file or a folder of the host into a session; returns lines about what was left out.

    A link in one of the directories `fenced` is followed only where it stays there.
    """
    found = Path(source)
    content = source.endswith("/.") or source == "."
    name = "" if content else found.name if found.name not in {"", ".."} else found.resolve().name
    opened = _opened(found, fenced)

    def give(stream: IO[bytes]) -> list[str]:
        return host_tar.pack(opened, stream, called=source.rstrip("/") or "/")

    try:
        kind = "folder" if stat.S_ISDIR(os.fstat(opened).st_mode) else "file"
        return _piped(engine, place, ["put", place.path, kind, name], give, outwards=False)
    finally:
        os.close(opened)


def _opened(source: Path, fenced: Sequence[Path]) -> int:
    try:
        return fences.open_source(source, fenced)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise NotFoundError(f"{source}: {error.strerror}", hint=Hint("cp", ["--help"])) from error
        if error.errno == errno.ENXIO:  # a socket
            raise CopyRefused(str(source), "neither a file nor a directory") from error
        raise CopyRefused(str(source), error.strerror or str(error)) from error


def stream_out(engine: Engine, place: Place, stdout: IO[bytes]) -> None:
    """A tar of a file or folder, as the container made it: untrusted."""
    _check(place, _run(engine, place, ["get", place.path], stdout=stdout))


def stream_into(engine: Engine, stdin: IO[bytes], place: Place) -> None:
    """Unpack an untrusted tar into a folder of a session, in its container."""
    _check(place, _run(engine, place, ["unpack", place.path], stdin=stdin))


def _piped(
    engine: Engine, place: Place, words: list[str], work: Callable[[IO[bytes]], list[str]], *, outwards: bool
) -> list[str]:
    """Run the program in the container with `work` at the other end of a pipe."""
    reading, writing = os.pipe()
    ours, theirs = (os.fdopen(reading, "rb"), os.fdopen(writing, "wb"))
    mine, its = (ours, theirs) if outwards else (theirs, ours)

    def working() -> list[str]:
        with mine:
            return work(mine)

    with ThreadPoolExecutor(max_workers=1) as pool:
        with its:
            at_work = pool.submit(working)
            done = _run(engine, place, words, **({"stdout": its} if outwards else {"stdin": its}))
        try:
            notes = at_work.result()
        except CopyRefused:
            if outwards and done.exit_code in {4, 5}:
                _check(place, done)  # nothing came, and this is why
            raise
        except BrokenPipeError:
            notes = []
    _check(place, done)
    return notes


def _run(
    engine: Engine,
    place: Place,
    words: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> ExecResult:
    session, command = place.session, (inside.COPY, *words)
    if session.running:
        return engine.exec(session.container, command, stdin=stdin or b"", stdout=stdout, timeout=SECONDS)
    if not _is_kept(place):
        raise ConflictError(
            f"session '{session.name}' is stopped: only its home, {inside.WORKSPACE} and its projects can "
            f"be reached, not {place.path}",
            hint=Hint("restart", ["-d", session.name]),
        )
    read_only = words[0] == "get"
    mounts = [*plan.volume_mounts(session.name, read_only=read_only)]
    mounts += [
        Mount(
            kind="bind",
            source=str(project.source),
            target=project.target,
            read_only=read_only or project.read_only,
        )
        for project in session.projects
        if os.path.lexists(project.source)
    ]
    one_off = OneOff(image=session.image, command=command, mounts=tuple(mounts))
    return engine.run_one_off(one_off, stdin=stdin or b"", stdout=stdout, timeout=SECONDS)


def _is_kept(place: Place) -> bool:
    path = posixpath.normpath(place.path)
    kept = [inside.HOME, inside.WORKSPACE, *(project.target for project in place.session.projects)]
    return any(path == str(top) or path.startswith(f"{top}/") for top in kept)


def _check(place: Place, done: ExecResult) -> None:
    if done.exit_code == 0:
        return
    words = sanitize.shown(done.message, newlines=True)[-2000:]
    if done.exit_code == 4:
        raise NotFoundError(
            f"session '{place.session.name}': {words}",
            hint=Hint("exec", [place.session.name, "--", "ls", "-la"]),
        )
    raise CopyRefused(f"{place.session.name}:{place.typed}", words)
