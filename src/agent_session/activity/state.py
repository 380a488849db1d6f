"""The states of sessions' agents, read from a file in each container without starting a process.

docs/agents.md says what a state is; session-state, in the container, writes each as one line into FILE and
names itself as its writer. The agent can write there too, so what comes out is bounded, parsed strictly and
made harmless, and nothing is believed once its writer is gone: a file outlives what wrote it.
"""

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from agent_session import sanitize
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused, NotFoundError
from agent_session.host import clock, nofollow
from agent_session.sessions import local_files
from agent_session.sessions.session import Session

Value = Literal["starting", "working", "waiting", "idle", "failed", "exited", "unknown"]
VALUES: tuple[Value, ...] = get_args(Value)
FILE = ("run", "agent-session", "state")
STOPPING = (*FILE[:-1], "stopping")
"""Made by session-run when it is asked to end; what keeps the state ends first, and the container up to 10
seconds later."""
LARGEST = 65_536
"""Bytes of a state that are read; one that is longer is none."""
LONGEST_REASON = 500
LONGEST_TEXT = 10_000
MOST_CHOICES = 50
YOUNG = timedelta(minutes=1)
SLACK = timedelta(seconds=2)
"""Podman tells a start in whole seconds, and clocks are set."""
SCRIPT = r"""exec 2>/dev/null
f=/run/agent-session/state
[ ! -e /run/agent-session/stopping ] || exit 5
[ -e $f ] || exit 3
[ -f $f ] && [ ! -L $f ] || exit 4
p=$(timeout 5 head -c 99 $f | sed -n 's/^{"writer": *\[\([0-9]*\),.*/\1/p')
timeout 5 cat /proc/"${p:-0}"/stat
timeout 5 head -c 65537 $f"""


@dataclass(frozen=True, kw_only=True)
class Question:
    """An agent's question: `kind` is permission, question, login or dialog; `choices` are its answers.

    `id` names this question among all that the agent ever asks, "" where the agent gives it no name.
    """

    kind: str
    text: str
    choices: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class State:
    """An agent's state, since when (aware; None where unknown), why, and its source.

    Its texts hold no control characters.
    """

    value: Value
    since: datetime | None = None
    reason: str = ""
    source: str = "podman"
    question: Question | None = None
    passing: bool = field(default=False, compare=False)
    """It is seen on the way to another state, and no news; for who looks once it is a state like any
    other."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was found of a running session's state, and `through` what.

    `content` is None where there is no file; `writer` is what /proc/PID/stat says of the process that the
    file names, b"" where there is none; `written` when, where that can be seen; `began` the container's start
    by its first process, in this moment's clock; `stopping`: it is about to end; `trouble` says why nothing
    can be read.
    """

    through: Literal["file", "engine"]
    content: bytes | None = None
    writer: bytes = b""
    written: datetime | None = None
    began: datetime | None = None
    stopping: bool = False
    trouble: str = ""


STOPPED = State(value="exited", reason="the session is stopped")
MADE = replace(STOPPED, passing=True)
"""Of a session that is about to be started for the first time, or was moved to another image while it was
stopped."""
ENDING = State(value="unknown", reason="it is being stopped", source="its container", passing=True)
"""Of a session in its last seconds."""


def read(engine: Engine, sessions: Sequence[Session]) -> dict[str, State]:
    """Read the states of sessions, by name: without a round trip where files can be read.

    Otherwise all are read at the same time.
    """
    now = datetime.now(UTC)
    return {
        session.name: interpret(session, seen, now=now)
        for session, seen in zip(sessions, observe(engine, sessions), strict=True)
    }


def observe(engine: Engine, sessions: Sequence[Session]) -> list[Observation | None]:
    """What is found of each, None for those that do not run."""
    found = [_by_file(engine, session) if session.running else None for session in sessions]
    left = [i for i, session in enumerate(sessions) if session.running and found[i] is None]
    if left:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=16) as pool:
            answers = pool.map(lambda i: _by_engine(engine, sessions[i]), left)
            for i, answer in zip(left, answers, strict=True):
                found[i] = answer
    return found


def interpret(session: Session, seen: Observation | None, *, now: datetime) -> State:
    """The state that the observation is good for."""
    if seen is None:
        return replace(STOPPED, since=session.ended) if session.started else MADE
    if seen.stopping:
        return ENDING
    if seen.trouble:
        return _unknown(seen.trouble)
    if seen.content is None:
        if session.started and now - session.started < YOUNG:
            return State(value="starting", since=session.started, reason="its container has just started")
        return _unknown(f"made by an older agent-session; run: agent-session update {session.name}")
    writer, said = writer_and_state(seen.content)
    if writer is None:
        return _unknown("its state file does not hold a state")
    if not lives(writer, seen.writer):
        return _unknown("the program that reports its state has ended")
    state = parsed(said)
    began = min((t for t in (session.started, seen.began) if t), default=None)
    if state.since and began and state.since < began - SLACK:
        return _unknown("its state is older than its container's start")
    return state


def writer_and_state(content: bytes) -> tuple[tuple[int, int] | None, object]:
    """Parse a file's content: the writer's pid and start time (in ticks, as in /proc), and the state.

    None for anything else.
    """
    if len(content) > LARGEST:
        return None, None
    try:
        kept = json.loads(content)
        pid, born = kept["writer"]
        if type(pid) is int and type(born) is int and 0 < pid < 2**31 and 0 <= born < 2**63:
            return (pid, born), kept["state"]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return None, None


def lives(writer: tuple[int, int], stat: bytes) -> bool:
    """Whether a /proc/PID/stat (proc(5)) is a writer's: the same start time, and not a zombie."""
    fields = stat.rpartition(b")")[2].split()  # the name before it may hold anything
    return (
        stat.startswith(b"%d (" % writer[0])
        and fields[19:20] == [b"%d" % writer[1]]
        and fields[0] not in b"ZXx"
    )


def parsed(said: object) -> State:
    """A state as its agent says it; `unknown` for what is none."""
    if not isinstance(said, dict) or said.get("value") not in VALUES:
        return _unknown("its agent reports something that is not a state")
    since = clock.parse(said.get("since"))
    if since is None:
        return _unknown("its agent does not report since when")
    return State(
        value=cast("Value", said["value"]),
        since=since,
        reason=_line(said.get("reason"), LONGEST_REASON),
        source=_line(said.get("source"), 80) or "agent",
        question=_question(said.get("question")) if said["value"] == "waiting" else None,
    )


def words(text: str) -> list[Value]:
    """The states in "idle,failed"; ValueError names the first that is none."""
    found = [word.strip() for word in text.split(",")]
    for word in found:
        if word not in VALUES:
            raise ValueError(f"{word!r} is not a state; the states are {', '.join(VALUES)}")
    return cast("list[Value]", found)


def _unknown(reason: str) -> State:
    return State(value="unknown", reason=reason, source="agent-session")


def _by_file(engine: Engine, session: Session) -> Observation | None:
    root = local_files.open_root(engine, session)
    if root is None:
        return None
    try:
        if nofollow.exists(root, *STOPPING):
            return Observation(through="file", stopping=True)
        file = nofollow.open_file(root, *FILE)
        try:
            content = nofollow.read_open(file, largest=LARGEST + 1)
            written = clock.from_seconds(os.fstat(file).st_mtime)
        finally:
            os.close(file)
        writer, _ = writer_and_state(content)
        stat = _stat(root, writer[0]) if writer else b""
        return Observation(through="file", content=content, writer=stat, written=written, began=_began(root))
    except FileNotFoundError:
        return Observation(through="file")
    except OSError:
        return Observation(through="file", trouble="its state file cannot be read")
    finally:
        os.close(root)


def _by_engine(engine: Engine, session: Session) -> Observation | None:
    try:
        done = engine.exec(session.container, ["/bin/sh", "-c", SCRIPT], timeout=15)
    except (EngineRefused, NotFoundError) as error:
        now = engine.container(session.container)
        if now is None or not now.running:
            return None  # it has ended since it was listed
        return Observation(
            through="engine", trouble=_line(f"it cannot be asked: {error.message}", LONGEST_REASON)
        )
    if done.exit_code == 3:
        return Observation(through="engine")
    if done.exit_code == 5:
        return Observation(through="engine", stopping=True)
    if done.exit_code:
        return Observation(through="engine", trouble="its container did not answer")
    stat, _, content = done.stdout.rstrip(b"\n").rpartition(b"\n")
    return Observation(through="engine", content=content, writer=stat)


def _stat(root: int, pid: int) -> bytes:
    try:
        return nofollow.read(root, "proc", str(pid), "stat", largest=4096)
    except OSError:
        return b""


def _began(root: int) -> datetime | None:
    """The start of the container's first process by today's clock, whatever clock changes came since."""
    try:
        ticks = int(_stat(root, 1).rpartition(b")")[2].split()[19])
    except (ValueError, IndexError):
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return datetime.now(UTC) - timedelta(seconds=age)


def _question(said: object) -> Question | None:
    if not isinstance(said, dict):
        return None
    choices = said.get("choices")
    return Question(
        kind=_line(said.get("kind"), 20) or "question",
        text="\n".join(_line(line, LONGEST_TEXT) for line in _lines(said.get("text"))),
        choices=tuple(
            _line(choice, 200) for choice in (choices if isinstance(choices, list) else [])[:MOST_CHOICES]
        ),
        id=_line(said.get("id"), 200),
    )


def _lines(said: object) -> Iterable[str]:
    return said[:LONGEST_TEXT].splitlines() if isinstance(said, str) else []


def _line(said: object, longest: int) -> str:
    return sanitize.line(said, longest) if isinstance(said, str) else ""
