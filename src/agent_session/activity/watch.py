"""Changes of sessions' states, as they happen and without asking again and again.

The kernel tells: inotify of the directory that a container keeps its state in, a pidfd of the container's
end. Podman is asked now and then for sessions that come and go. Only where containers' files cannot be seen
from here, each is asked every moment.
"""

import contextlib
import os
import select
import struct
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from agent_session.activity import state as states
from agent_session.activity.state import State, Value
from agent_session.engine.protocol import Engine
from agent_session.errors import Hint, TimedOut
from agent_session.host import nofollow
from agent_session.sessions import find, local_files
from agent_session.sessions.errors import SessionNotFound
from agent_session.sessions.names import check_name
from agent_session.sessions.session import Session

RESTING: tuple[Value, ...] = ("idle", "waiting", "exited", "failed")
LISTING_SECONDS = 3.0
ASKING_SECONDS = 0.7
"""For what only Podman can tell: a container whose files cannot be read, a session somebody waits for that
does not run."""
SETTLING_SECONDS = 0.3
IN_CLOSE_WRITE, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_Q_OVERFLOW = (
    0x08,
    0x80,
    0x100,
    0x200,
    0x4000,
)  # inotify(7), sys/inotify.h


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a session's state; `before` is None for the first, `state` for a session that is gone."""

    name: str
    state: State | None
    before: State | None


def follow(
    engine: Engine, *, deadline: float | None = None, named: Collection[str] = ()
) -> Iterator[dict[str, State]]:
    """Yield the states of all sessions (or of those named) now and whenever they may have changed.

    It ends at the deadline (time.monotonic).
    """
    for seen in look(engine, deadline=deadline, named=named):
        yield {session.name: state for session, state in seen}


def look(
    engine: Engine, *, deadline: float | None = None, named: Collection[str] = ()
) -> Iterator[list[tuple[Session, State]]]:
    """Yield the sessions with their states, as `follow` does."""
    with _Watch() as watch:
        while True:
            found = [s for s in find.list_sessions(engine) if not named or s.name in named]
            unseen = watch.keep(engine, found)
            absent = bool(named) and not all(session.running for session in found)
            relist = time.monotonic() + (ASKING_SECONDS if unseen or absent else LISTING_SECONDS)
            told = True
            while told:
                now = states.read(engine, found)
                yield [(session, now[session.name]) for session in found]
                told = watch.wait(min(relist, deadline) if deadline else relist)
            if deadline and time.monotonic() >= deadline:
                return
            engine.connect_soon()  # the first list came from one command, and some need no other


def changes(engine: Engine, names: Collection[str] = ()) -> Iterator[Change]:
    """Yield each change of the states of all sessions, or of those named; the present states first.

    Raises SessionNotFound where one is missing.
    """
    wanted = frozenset(map(check_name, names))
    before: dict[str, State | None] = {}
    first = True
    for seen in follow(engine, named=wanted):
        if first and (missing := sorted(wanted - seen.keys())):
            raise SessionNotFound(missing[0])
        first = False
        now = {name: before.get(name) if state.passing else state for name, state in seen.items()}
        for name in sorted(now.keys() | before.keys()):
            if now.get(name) != before.get(name) or (name in before and name not in now):
                yield Change(name=name, state=now.get(name), before=before.get(name))
        before = now


def wait_for_states(
    engine: Engine, names: Sequence[str], until: Collection[Value] = RESTING, *, seconds: float | None = None
) -> Iterator[tuple[str, State]]:
    """Each of the sessions as soon as it is in one of the states; ends when all have been.

    SessionNotFound where one is not there, or no longer; TimedOut after so many seconds.
    """
    left = [check_name(name) for name in dict.fromkeys(names)]
    deadline = None if seconds is None else time.monotonic() + seconds
    for now in follow(engine, deadline=deadline, named=frozenset(names)):
        for name in list(left):
            if name not in now:
                raise SessionNotFound(name)
            if now[name].value in until:
                left.remove(name)
                yield name, now[name]
        if not left:
            return
    which = " and ".join(f"session '{name}'" for name in left)
    raise TimedOut(f"{which} did not become {' or '.join(until)} within {seconds:g} s", hint=Hint("ls"))


@dataclass(kw_only=True)
class _Watch:
    """What the kernel is asked to tell: by container's id, its inotify watch and its pidfd."""

    inotify: "_Inotify | None" = None
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __enter__(self) -> "_Watch":
        with contextlib.suppress(OSError):  # none left for this user, or no Linux
            self.inotify = _Inotify()
        return self

    def __exit__(self, *_: object) -> None:
        for container in list(self.seen):
            self._drop(container)
        if self.inotify:
            self.inotify.close()

    def keep(self, engine: Engine, found: Sequence[Session]) -> bool:
        """Watch those that run and no others; whether any of them cannot be."""
        running = {session.id: session for session in found if session.running}
        for container in self.seen.keys() - running.keys():
            self._drop(container)
        for container, session in running.items():
            if container not in self.seen and self.inotify and session.pid:
                self._add(engine, session, self.inotify)
        return bool(running.keys() - self.seen.keys())

    def wait(self, deadline: float) -> bool:
        """Wait until a state may have changed (True) or it is time to ask Podman (False).

        It is time at the deadline, and when a container has ended.
        """
        while (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            for descriptor in (
                *([self.inotify.descriptor] if self.inotify else []),
                *(p for _, p in self.seen.values()),
            ):
                poll.register(descriptor, select.POLLIN)
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000 + 1)}
            ended = [container for container, (_, pidfd) in self.seen.items() if pidfd in ready]
            for container in ended:
                self._drop(container)
            if ended:
                time.sleep(SETTLING_SECONDS)  # Podman hears of it a moment later
                return False
            if self.inotify and self.inotify.descriptor in ready:
                time.sleep(0.01)  # so often at most, whatever an agent does there
                if states.FILE[-1] in self.inotify.names():
                    return True
        return False

    def _add(self, engine: Engine, session: Session, inotify: "_Inotify") -> None:
        with contextlib.ExitStack() as undo, contextlib.suppress(OSError):
            pidfd = os.pidfd_open(session.pid or 0)
            undo.callback(os.close, pidfd)
            root = local_files.open_root(engine, session)  # after the pidfd: so it is this container's
            if root is None:
                return
            undo.callback(os.close, root)
            folder = nofollow.open_directory(root, *states.FILE[:-1])
            undo.callback(os.close, folder)
            watch = inotify.add(folder)
            self.seen[session.id] = watch, os.dup(pidfd)

    def _drop(self, container: str) -> None:
        watch, pidfd = self.seen.pop(container)
        os.close(pidfd)
        if self.inotify:
            self.inotify.remove(watch)


class _Inotify:
    """inotify(7), which Python's library does not have. OSError where the system has none (left)."""

    def __init__(self) -> None:
        import ctypes

        self._ctypes = ctypes
        self._library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._library, "inotify_init1"):
            raise OSError("no inotify here")
        self.descriptor = self._checked(self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def add(self, folder: int) -> int:
        """Watch an open directory for files that are made, replaced and removed."""
        path = f"/proc/self/fd/{folder}".encode()
        mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE
        return self._checked(self._library.inotify_add_watch(self.descriptor, path, mask))

    def remove(self, watch: int) -> None:
        """Watch it no longer; one that went with its directory is fine."""
        self._library.inotify_rm_watch(self.descriptor, watch)

    def names(self) -> set[str]:
        """The files that something happened to since the last time."""
        data = os.read(self.descriptor, 65536)
        found, at = set(), 0
        while at < len(data):
            _, mask, _, length = struct.unpack_from("iIII", data, at)
            name = data[at + 16 : at + 16 + length].rstrip(b"\0").decode("utf-8", "replace")
            found.add(states.FILE[-1] if mask & IN_Q_OVERFLOW else name)  # then anything may have happened
            at += 16 + length
        return found

    def close(self) -> None:
        """Leave nothing behind."""
        os.close(self.descriptor)

    def _checked(self, answer: int) -> int:
        if answer < 0:
            error = self._ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return answer
