"""Everything about one session, and how each of it is known: for `status`, and for whoever else wants the whole picture."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from agent_session import inside
from agent_session.activity import event_log
from agent_session.activity import state as states
from agent_session.activity.event_log import Event
from agent_session.activity.state import Evidence, State
from agent_session.engine.protocol import Engine
from agent_session.host import nofollow
from agent_session.host.clock import utc
from agent_session.sessions import endpoint, local_files, plan
from agent_session.sessions.session import Session

LAST_EVENTS = 5
MOST_PROCESSES = 500


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """One session. `memory` (bytes, what would be free without it) and `processes` are None where they cannot be seen from here."""

    session: Session
    state: State
    evidence: Evidence | None
    volumes: Mapping[str, bool]
    """Each with whether it is there."""
    events: tuple[Event, ...]
    processes: int | None = None
    memory: int | None = None


def paint(engine: Engine, session: Session) -> Portrait:
    """The whole picture of a session; no round trip where it runs and its files can be read, otherwise a few."""
    seen = states.evidence(engine, [session])[0]
    processes, memory = _load(engine, session)
    return Portrait(
        session=session,
        state=states.judge(session, seen, now=datetime.now(UTC)),
        evidence=seen,
        volumes=_volumes(engine, session),
        events=tuple(event_log.read(engine, session)[-LAST_EVENTS:]),
        processes=processes,
        memory=memory,
    )


def secrets(engine: Engine, session: Session) -> dict[str, str]:
    """What is told to those alone who ask for secrets, by its name in `status --json --secrets`."""
    return endpoint.secrets(engine, session)


def explanations(portrait: Portrait) -> Iterator[tuple[str, str]]:
    """What is known, and how: (what, how)."""
    session, seen, state = portrait.session, portrait.evidence, portrait.state
    yield "session", f"Podman: the labels of the container {session.container}"
    yield (
        "status",
        "Podman: its list of containers" + (f"; first process {session.pid}" if session.pid else ""),
    )
    yield "state", f"{state.source} says {state.value}"
    if seen:
        yield from _of_evidence(seen)
    usage = "the container's own /proc" if portrait.processes is not None else "cannot be seen from here"
    yield "processes, memory", usage
    yield "events", f"{inside.HOME.joinpath(*event_log.FOLDER)}/{event_log.FILES[-1]} in its volume"


def _of_evidence(seen: Evidence) -> Iterator[tuple[str, str]]:
    ways = {"file": "read through /proc, without a process", "engine": "read by a command in the container"}
    if seen.stopping:
        yield "state's file", f"/{'/'.join(states.STOPPING)} is there ({ways[seen.through]})"
        return
    if seen.trouble:
        yield "state's file", seen.trouble
        return
    if seen.content is None:
        yield "state's file", f"/{'/'.join(states.FILE)}: there is none ({ways[seen.through]})"
        return
    when = f", written {utc(seen.written)}" if seen.written else ""
    yield "state's file", f"/{'/'.join(states.FILE)}, {len(seen.content)} bytes{when} ({ways[seen.through]})"
    keeper, _ = states.keeper_and_state(seen.content)
    if keeper is None:
        yield "state's keeper", "the file names none"
        return
    alive = "lives" if states.lives(keeper, seen.keeper) else "does not live any more"
    yield "state's keeper", f"process {keeper[0]} of the container, begun at tick {keeper[1]}: {alive}"


def _load(engine: Engine, session: Session) -> tuple[int | None, int | None]:
    """How many processes it has, and the bytes of memory that are theirs (Pss: what is shared counts in parts)."""
    root = local_files.open_root(engine, session)
    if root is None:
        return None, None
    try:
        folder = nofollow.open_directory(root, "proc")
        try:
            pids = [name for name in os.listdir(folder) if name.isdecimal()]  # noqa: PTH208 (a descriptor)
            return len(pids), sum(_pss(folder, pid) for pid in pids[:MOST_PROCESSES])
        finally:
            os.close(folder)
    except OSError:
        return None, None
    finally:
        os.close(root)


def _volumes(engine: Engine, session: Session) -> dict[str, bool]:
    """Each with whether it is there; what a running container has mounted is."""
    mounts = plan.volume_mounts(session.name)
    root = local_files.open_root(engine, session)
    found = {mount.source: root is not None and _is_mount(root, mount.target) for mount in mounts}
    if root is not None:
        os.close(root)
    return {name: mounted or engine.volume_labels(name) is not None for name, mounted in found.items()}


def _is_mount(root: int, target: PurePosixPath) -> bool:
    """Whether another file system is there than a container's root; no, where both are on one disk and storage does not stack."""
    try:
        folder = nofollow.open_directory(root, *target.parts[1:])
    except OSError:
        return False
    try:
        return os.fstat(folder).st_dev != os.fstat(root).st_dev
    finally:
        os.close(folder)


def _pss(proc: int, pid: str) -> int:
    try:
        lines = nofollow.read(proc, pid, "smaps_rollup", largest=4096).splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 0  # it has ended, or is not for us to see
