"""Archives: a session in one file, for another machine or another day. It holds no login.

The file is a zstd stream of a tar with home/agent/ and workspace/, as `tar --zstd -xf` reads it. In front of
it is one of zstd's skippable frames with a manifest, so that the host can read what it is about without
unpacking anything. Packing and unpacking are done by programs of the base image in a container of their own:
an archive may be anybody's.
"""

import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

from agent_session import __version__, inside, sanitize
from agent_session.agents.catalog import Agent
from agent_session.agents.seed import Seed
from agent_session.engine.command import OneOff
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, EngineRefused, Hint, UsageError
from agent_session.host import atomic, nofollow
from agent_session.host.signals import uninterrupted
from agent_session.sessions import lifecycle, places, plan, readiness
from agent_session.sessions.errors import ArchiveRefused
from agent_session.sessions.labels import LABEL_NAME, session_labels
from agent_session.sessions.names import NAME, container_name, importing_name, volume_names
from agent_session.sessions.options import Options, flags
from agent_session.sessions.readiness import Report
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.sessions.wish import Wish
from agent_session.workspace import clones
from agent_session.workspace.clones import Clone
from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.private_directories import ALLOW_SECRETS
from agent_session.workspace.projects import Project, is_place, resolve_projects

SKIPPABLE = 0x184D2A5E
FRAME = struct.Struct("<II")
LARGEST_MANIFEST = 1_000_000
SECONDS = 6 * 3600
MOST_SHOWN, LONGEST_SHOWN = 20, 200
"""Options of a manifest that are told, and characters of each."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an archive says of itself: true only as far as its maker can be trusted."""

    name: str
    agent: str
    projects: tuple[Project, ...]
    clones: tuple[Clone, ...]
    options: dict[str, Any]


def save(
    engine: Engine, session: Session, agent: Agent | None, file: Path, fenced: Sequence[Path] = ()
) -> list[str]:
    """Write a session's archive, mode 600, in one step: the file is whole or as it was before.

    Returns lines about what could not be packed: sockets, and what cannot be read.
    No link is followed in the directories `fenced`, which agents write in. Raises EngineRefused where
    packing fails, OSError where the file cannot be written.
    """
    private = (*agent.private, *agent.login_files) if agent else ()
    asked = {"leave_out": [*private, str(inside.SEALED_LOGINS)]}
    one_off = OneOff(
        image=session.image,
        command=(inside.PACK,),
        reads_all=True,
        mounts=plan.volume_mounts(session.name, read_only=True),
    )
    with atomic.replacing(file, fenced=fenced) as written:
        manifest = json.dumps(_manifest(session), ensure_ascii=False).encode()
        written.write(FRAME.pack(SKIPPABLE, len(manifest)) + manifest)
        written.flush()
        done = engine.run_one_off(one_off, stdin=json.dumps(asked).encode(), stdout=written, timeout=SECONDS)
        if done.exit_code:
            raise EngineRefused(f"session '{session.name}' could not be packed: {_words(done.stderr)}")
    lines = sanitize.lines(done.stderr.decode("utf-8", "replace")).splitlines()
    return [line.removeprefix("tar: ") for line in lines if line.startswith("tar: ")][:MOST_SHOWN]


def read_manifest(file: Path) -> Manifest:
    """What an archive is about. ArchiveRefused for what is none."""
    try:
        with os.fdopen(nofollow.open_file(file, links=True), "rb") as opened:
            return _read(_manifest_in(opened))
    except KeyError as error:
        raise ArchiveRefused(file, f"its manifest is damaged: {error} is missing") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ArchiveRefused(file, reason or "it is damaged") from error


def _manifest_in(opened: IO[bytes]) -> dict[str, Any]:
    head = opened.read(FRAME.size)
    magic, size = FRAME.unpack(head) if len(head) == FRAME.size else (0, 0)
    if magic != SKIPPABLE or size > LARGEST_MANIFEST:
        raise ValueError("it is not an archive made by agent-session export")
    try:
        manifest = json.loads(opened.read(size))
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is damaged")
    return manifest


def suggested(wish: Wish, manifest: Manifest, home: Path) -> tuple[str, ...]:
    """List the real paths of projects that only the archive names.

    Somebody has to choose them before anything is mounted. Raises UsageError or ProjectRefused for
    those that nobody could choose.
    """
    if wish.projects or wish.no_projects or not manifest.projects:
        return ()
    missing = [str(project.source) for project in manifest.projects if not project.source.is_dir()]
    if missing:
        words = _words_typed(wish, manifest)
        raise UsageError(
            f"projects of the archive are not on this machine: {', '.join(missing)}",
            hint=(Hint("start", [*words, "PROJECT..."]), Hint("start", [*words, "--no-projects"])),
        )
    try:
        projects = resolve_projects(
            map(str, manifest.projects), home=home, allow_secrets=wish.allow_secret_directories
        )
    except ProjectRefused as error:
        error.hints = commands(wish, manifest, ())
        raise
    return tuple(map(str, projects))


def commands(wish: Wish, manifest: Manifest, projects: Sequence[str]) -> tuple[Hint, ...]:
    """Write the commands that import the archive with those projects, and with none."""
    words = _words_typed(wish, manifest)
    without = Hint("start", [*words, "--no-projects"], note="without a project")
    return (Hint("start", [*words, *projects]), without) if projects else (without,)


def wished(wish: Wish, manifest: Manifest, home: Path, report: Report) -> Wish:
    """Complete a wish from its archive: the agent, and the name if no other is insisted on.

    Nothing else is taken from it. Raises UsageError where only the archive names projects, with the
    commands that choose them.
    """
    agent = sanitize.line(manifest.agent, LONGEST_SHOWN)
    if "agent" in wish.insisted and wish.agent != manifest.agent:
        raise ConflictError(f"{str(wish.import_from)!r} is a session of agent {agent}, not {wish.agent}")
    if projects := suggested(wish, manifest, home):
        raise UsageError(
            "an archive decides nothing: type the projects that it is to get. It names these:"
            + "".join(f"\n  {sanitize.shown(project)}" for project in projects),
            hint=commands(wish, manifest, projects),
        )
    known = asdict(wish.options)
    for option, value in list(manifest.options.items())[:MOST_SHOWN]:
        if value and not known.get(option):
            said = sanitize.line(f"{option}={value!r}", LONGEST_SHOWN)
            report(f"not taken over from the archive: {said}")
    return replace(
        wish,
        name=_name(wish, manifest),
        agent=manifest.agent,
        no_projects=wish.no_projects or not wish.projects,
        targets=tuple(project.target for project in manifest.projects),
        clones=manifest.clones,
    )


def _name(wish: Wish, manifest: Manifest) -> str:
    return wish.name if "name" in wish.insisted else manifest.name


def _words_typed(wish: Wish, manifest: Manifest) -> list[str]:
    """Repeat what was typed for an import, without its projects."""
    words = ["--import", str(wish.import_from), "-n", _name(wish, manifest)]
    for field in fields(Options):
        if field.name in wish.insisted:
            words += flags(field.name, getattr(wish.options, field.name))
    switches = {"--logins": wish.logins, ALLOW_SECRETS: wish.allow_secret_directories, "--fresh": wish.fresh}
    return [*words, *(flag for flag, given in switches.items() if given)]


def create(
    engine: Engine,
    request: SessionRequest,
    seed: Seed,
    file: Path,
    *,
    screen: bool,
    report: Report = readiness.unheard,
) -> Session:
    """Make a session with the content of an archive. Raises ArchiveRefused with the reason.

    It raises otherwise as lifecycle.create does, which removes the mark of the import.
    """
    labels, marker = session_labels(request), importing_name(request.name)
    made: list[str] = []
    try:
        with uninterrupted():
            for volume in (marker, *volume_names(request.name)):
                create_volume(engine, request.name, volume, labels)
                made.append(volume)
        _unpack(engine, request, file)
        return lifecycle.create(engine, request, seed, screen=screen, report=report)
    except BaseException:
        with uninterrupted():
            if engine.container(container_name(request.name)) is None:  # else it was done, but for telling so
                for volume in reversed(made):
                    engine.remove_volume(volume)
        raise


def create_volume(engine: Engine, name: str, volume: str, labels: Mapping[str, str]) -> None:
    """Make a volume of a new session. Raises ConflictError where what an earlier one held still is there."""
    try:
        engine.create_volume(volume, labels)
    except ConflictError:
        hint = (Hint("start", ["-n", name], note="with that home"), Hint("rm", [name]))
        raise ConflictError(
            f"a session '{name}' was here, and its home still is: {volume}", hint=hint
        ) from None


def discard_partial_import(engine: Engine, name: str) -> None:
    """Remove what a killed import left before its session was made.

    For callers that hold the session's lock and found no session.
    """
    labels = engine.volume_labels(importing_name(name))
    if labels is not None and labels.get(LABEL_NAME) == name:
        for volume in (*volume_names(name), importing_name(name)):
            engine.remove_volume(volume)


def _unpack(engine: Engine, request: SessionRequest, file: Path) -> None:
    one_off = OneOff(
        image=request.image,
        command=(inside.UNPACK,),
        mounts=plan.volume_mounts(request.name),
    )
    with file.open("rb") as opened:
        done = engine.run_one_off(one_off, stdin=opened, timeout=SECONDS)
    if done.exit_code:
        raise ArchiveRefused(file, _words(done.stderr).removeprefix("refused: "))


def _manifest(session: Session) -> dict[str, Any]:
    return {
        "format": 1,
        "made_by": f"agent-session {__version__}",
        "name": session.name,
        "agent": session.agent,
        "projects": places.as_data(session.name, session.projects, ()),
        "clones": [clones.as_archived(one) for one in session.clones],
        "options": asdict(session.options),
    }


def _read(said: dict[str, Any]) -> Manifest:
    if said["format"] != 1:
        raise ValueError("a newer agent-session wrote it")
    projects = tuple(
        Project(
            source=Path(item["source"]),
            target=PurePosixPath(item["target"]),
            read_only=bool(item.get("read_only")),
        )
        for item in said["projects"]
    )
    for project in projects:
        if not project.source.is_absolute() or not is_place(project.target):
            raise ValueError("its projects are not valid")
    names = (said["agent"], said["name"])
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names) or not isinstance(
        said["options"], dict
    ):
        raise ValueError("its manifest is damaged")
    return Manifest(
        name=said["name"],
        agent=said["agent"],
        projects=projects,
        clones=tuple(map(clones.archived, said.get("clones", []))),
        options=said["options"],
    )


def _words(said: bytes) -> str:
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
