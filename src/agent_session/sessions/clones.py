"""Clones are made before their session, in a container of its own, and read in another one.

Nothing of the host is writable there, and git runs on the host in the user's own repository only. Until the
session exists, a volume marks what is half made, as for an import; the next start removes it.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_session import sanitize
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError, Hint
from agent_session.host import git
from agent_session.host.signals import uninterrupted
from agent_session.sessions import clone_runs, clone_urls, lifecycle
from agent_session.sessions.labels import session_labels
from agent_session.sessions.names import container_name, importing_name, ref_part, volume_names
from agent_session.workspace import clone_sources, uncommitted
from agent_session.workspace.clone_sources import HostRepository
from agent_session.workspace.clones import Clone
from agent_session.workspace.errors import ProjectRefused

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed
    from agent_session.sessions.readiness import Report
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session


@dataclass(frozen=True, kw_only=True)
class Access:
    """What making clones may use: the host's environment for its git, and what is lent for URLs."""

    home: Path
    environment: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)
    ssh_agent: str = ""
    with_changes: bool = False
    allow_secrets: bool = False


def create(
    engine: Engine, request: "SessionRequest", seed: "Seed", access: Access, *, screen: bool, report: "Report"
) -> "Session":
    """Make the clones of a session, then the session.

    Whatever fails or interrupts, nothing of them is left. Raises ProjectRefused where a repository cannot be
    cloned, and otherwise as lifecycle.create does.
    """
    made: list[str] = []
    try:
        with uninterrupted():
            for volume in (importing_name(request.name), *volume_names(request.name)):
                _create_volume(engine, request, volume)
                made.append(volume)
        whole = replace(
            request, clones=tuple(_make(engine, request, one, access, report) for one in request.clones)
        )
        return lifecycle.create(engine, whole, seed, screen=screen, report=report)
    except BaseException:
        with uninterrupted():
            if engine.container(container_name(request.name)) is None:
                for volume in reversed(made):
                    engine.remove_volume(volume)
                release(request.name, request.clones, access.environment)
        raise


def release(name: str, of: "tuple[Clone, ...]", environment: Mapping[str, str]) -> None:
    """Let the host's repositories forget what the clones of a session borrowed: it is removed."""
    for clone in of:
        if clone.directory and clone.objects and clone.directory.is_dir():
            uncommitted.release(clone.directory, *_kept(name, clone), environment)


def make_whole(engine: Engine, session: "Session") -> None:
    """Copy into a session's clones what they borrow. Raises EngineRefused."""
    for clone in session.clones:
        if clone.objects:
            done = clone_runs.run(
                engine, session.image, session.name, clone, {"do": "whole"}, read_only=False
            )
            clone_runs.check(done, clone, session.name)


def _create_volume(engine: Engine, request: "SessionRequest", volume: str) -> None:
    try:
        engine.create_volume(volume, session_labels(request))
    except ConflictError:
        name = request.name
        hint = (Hint("start", ["-n", f"{name}-2"], note="another name"), Hint("rm", [name]))
        raise ConflictError(
            f"a session '{name}' was here, and what it held still is: {volume}", hint=hint
        ) from None


def _make(engine: Engine, request: "SessionRequest", clone: Clone, access: Access, report: "Report") -> Clone:
    with tempfile.TemporaryDirectory(prefix="agent-session-") as scratch:
        if clone.directory:
            clone, order, rest = _from_directory(request, clone, access, Path(scratch))
        else:
            order, rest = clone_urls.order(clone, access), None
        more = tuple(clone_urls.lent(request, access)) if not clone.directory else ()
        done, answer = clone_runs.told(
            lambda stdout: clone_runs.run(
                engine, request.image, request.name, clone, {"do": "make", **order},
                read_only=False, more=more, network=not clone.directory, rest=rest, stdout=stdout,
                environment=clone_urls.variables(access),
            ),
            lambda line: report(f"{clone.source}: {line}"),
        )  # fmt: skip
    if done.exit_code or "start" not in answer:
        raise _refused(clone, sanitize.line(sanitize.lines(done.message), 1000), access)
    return replace(
        clone, start=clone_runs.object_id(answer["start"]), base=clone_runs.object_id(answer["base"])
    )


def _from_directory(
    request: "SessionRequest", clone: Clone, access: Access, scratch: Path
) -> tuple[Clone, dict[str, Any], Path]:
    """What is sent of a host's repository: names, settings, and the objects that cannot be borrowed."""
    environment = access.environment
    clone, repository = clone_sources.read(clone, access.home, environment, allow_secrets=True)
    listed = clone_sources.refs(repository, environment)
    taken = access.with_changes and not repository.bare
    try:
        found = uncommitted.snapshot(repository, clone.start, scratch, environment) if taken else None
    except git.GitFailed as error:
        reason = f"its uncommitted changes cannot be taken along: {error.message}"
        raise _refused(clone, reason, access) from error
    if found:
        clone = replace(clone, base=found.commit)
    tags = git.run(
        repository.top, "for-each-ref", "--format=%(if)%(*objectname)%(then)%(objectname)%(end)", "refs/tags",
        environment=environment,
    ).decode().split()  # fmt: skip
    tips = _commits(repository, [*(oid for oid, _ in listed), clone.start], environment)
    kept = clone.objects and uncommitted.keep(repository, *_kept(request.name, clone), tips, environment)
    if not kept:
        clone = replace(clone, objects=None)
    pack = scratch / "pack"
    more = uncommitted.private_objects(scratch, repository.objects)
    asked = [*tags, *([found.commit, found.staged] if found else [])]
    asked += [f"^{tip}" for tip in tips] if kept else [*tips]
    with pack.open("wb") as file:
        git.run(
            repository.top, "pack-objects", "--revs", "--stdout", "--quiet", "--delta-base-offset",
            environment=environment, more=more, stdin="".join(f"{one}\n" for one in asked if one).encode(),
            stdout=file,
        )  # fmt: skip
    order = {
        "start": clone.start,
        "base": clone.base,
        "staged": found.staged if found else "",
        "refs": _names(listed),
        "settings": clone_sources.settings(repository, environment),
        "exclude": clone_sources.exclude(repository),
        "shallow": clone_sources.shallow(repository),
        "borrowed": str(clone.borrowed) if kept else "",
        "sha256": repository.sha256,
        "pack": bool(asked),
    }
    return clone, order, pack


def _commits(repository: HostRepository, oids: list[str], environment: Mapping[str, str]) -> list[str]:
    """Peel ids to commits; what is none is left out."""
    asked = "".join(f"{oid}^{{commit}}\n" for oid in dict.fromkeys(oids) if oid).encode()
    said = git.run(
        repository.top,
        "cat-file",
        "--batch-check=%(objectname) %(objecttype)",
        environment=environment,
        stdin=asked,
    )
    return list(dict.fromkeys(one[:-7] for one in said.decode().splitlines() if one.endswith(" commit")))


def _kept(name: str, clone: Clone) -> tuple[str, str]:
    """How the host's repository names what a clone borrows."""
    return ref_part(name), ref_part(clone.target.name)


def _names(listed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The refs of a clone: those of the host, and its branches once more as those of the remote `host`."""
    heads = "refs/heads/"
    mine = [
        (oid, f"refs/remotes/host/{name[len(heads) :]}") for oid, name in listed if name.startswith(heads)
    ]
    others = [one for one in listed if not one[1].startswith("refs/remotes/host/")]
    return [*others, *mine]


def _refused(clone: Clone, said: str, access: Access) -> ProjectRefused:
    """The refusal of a clone with git's words, and the command that is perhaps the cure."""
    typed = clone.source + (f"#{clone.branch}" if clone.branch else "")
    return ProjectRefused(typed, f"it could not be cloned: {said}", hint=clone_urls.hint(clone, said, access))
