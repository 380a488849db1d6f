"""All that is known about one session, and how each part is known: for `status`."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from agent_session import inside
from agent_session.activity import event_log
from agent_session.activity import state as states
from agent_session.activity.event_log import Event
from agent_session.activity.state import Observation, State
from agent_session.engine.protocol import Engine
from agent_session.host import nofollow
from agent_session.host.clock import utc
from agent_session.sessions import endpoint, local_files, plan
from agent_session.sessions.session import Session

LAST_EVENTS = 5
MOST_PROCESSES = 500


@dataclass(frozen=True, kw_only=True)
class Description:
    """One session. `memory` (bytes) and `processes` are None where they cannot be read from here.

    `memory` is what would be free without the session.
    """

    session: Session
    state: State
    observation: Observation | None
    volumes: Mapping[str, bool]
    """Each with whether it is there."""
    events: tuple[Event, ...]
    processes: int | None = None
    memory: int | None = None


def describe(engine: Engine, session: Session) -> Description:
    """Describe a session; Podman is only asked where it is stopped or its files cannot be read."""
    seen = states.observe(engine, [session])[0]
    processes, memory = _load(engine, session)
    return Description(
        session=session,
        state=states.interpret(session, seen, now=datetime.now(UTC)),
        observation=seen,
        volumes=_volumes(engine, session),
        events=tuple(event_log.read(engine, session)[-LAST_EVENTS:]),
        processes=processes,
        memory=memory,
    )


def secrets(engine: Engine, session: Session) -> dict[str, str]:
    """The secrets of a session, by their names in `status --json --secrets`."""
    return endpoint.secrets(engine, session)


def explanations(description: Description) -> Iterator[tuple[str, str]]:
    """How each part of a description is known: (part, how)."""
    session, seen, state = description.session, description.observation, description.state
    yield "session", f"Podman: the labels of the container {session.container}"
    yield (
        "status",
        "Podman: its list of containers" + (f"; first process {session.pid}" if session.pid else ""),
    )
    yield "state", f"{state.source} says {state.value}"
    if seen:
        yield from _of_observation(seen)
    usage = "the container's own /proc" if description.processes is not None else "cannot be seen from here"
    yield "processes, memory", usage
    yield "events", f"{inside.HOME.joinpath(*event_log.FOLDER)}/{event_log.FILES[-1]} in its volume"


def _of_observation(seen: Observation) -> Iterator[tuple[str, str]]:
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
    writer, _ = states.writer_and_state(seen.content)
    if writer is None:
        yield "state's writer", "the file names none"
        return
    alive = "lives" if states.lives(writer, seen.writer) else "does not live any more"
    yield "state's writer", f"process {writer[0]} of the container, begun at tick {writer[1]}: {alive}"


def _load(engine: Engine, session: Session) -> tuple[int | None, int | None]:
    """The number of its processes and the bytes of their memory (Pss: shared memory counts in parts)."""
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
    """Whether another file system is there than a container's root.

    False also where both are on one disk and storage does not stack.
    """
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
