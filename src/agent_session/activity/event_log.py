"""A session's events, written by the programs in its container (session-event), a JSON object a line.

The agent can write there too, so it is read as anything from a container: bounded, parsed strictly, no link
followed.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent_session import inside
from agent_session.engine.command import OneOff
from agent_session.engine.protocol import Engine
from agent_session.errors import Hint, UsageError
from agent_session.host import clock, nofollow
from agent_session.sessions import find, local_files, plan
from agent_session.sessions.names import volume_names
from agent_session.sessions.session import Session

FOLDER = (".local", "state", "agent-session")
FILES = ("events.1.jsonl", "events.jsonl")
LARGEST = 2_000_000
"""Bytes of one file that are read, from its end; session-event keeps it below 1,1 million."""
LONGEST_LINE = 70_000
SECONDS = 0.25
SECONDS_THROUGH_ENGINE = 2.0
KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
AGO = re.compile(r"(\d{1,9})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

SENTENCES = {
    "start": "session started",
    "stop": "session stopped",
    "end": "session ended",
    "killed": "session was killed the last time, before it could stop",
    "agent-start": "agent started",
}
OUTCOMES = {"refused": "refused", "usage": "not understood", "timeout": "timed out"}
"""What became of a prompt or an answer, by the kind of its error; "failed" for any other."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened: `time` is aware, `detail` what its kind brings with it, {} for most."""

    time: datetime
    kind: str
    detail: dict[str, Any] = field(default_factory=dict)


def read(engine: Engine, session: Session, *, since: datetime | None = None) -> list[Event]:
    """What happened, the oldest first, as far back as the record goes."""
    return [event for event in _parsed(_content(engine, session)) if since is None or event.time >= since]


def follow(engine: Engine, session: Session, *, since: datetime | None = None) -> Iterator[Event]:
    """What happened and what happens; ends with the session. Where files can be read, without a process."""
    engine.connect_soon()  # it is asked again and again whether the session goes on
    told: list[Event] = []
    mark: object = None
    while True:
        if (now := _mark(engine, session)) != mark or now is None:
            mark, before, told = now, told, read(engine, session, since=since)
            yield from _after(told, before)
        current = find.find_session(engine, session.name)
        if current is None or not current.running:
            yield from _after(read(engine, session, since=since), told)
            return
        deadline = time.monotonic() + SECONDS_THROUGH_ENGINE
        while time.monotonic() < deadline:
            time.sleep(SECONDS)
            if mark is not None and _mark(engine, session) != mark:
                break


def sentence(event: Event) -> str:
    """What happened in words, as one line for a person; texts in it are as the container wrote them."""
    detail = event.detail
    match event.kind:
        case "start" | "stop" | "end" | "killed" | "agent-start" if not detail:
            return SENTENCES[event.kind]
        case "state":
            reason = str(detail.get("reason") or "")
            return f"agent is {detail.get('value', 'unknown')}{': ' if reason else ''}{reason}"
        case "agent-end" if "status" in detail:
            return f"agent ended with status {detail['status']}"
        case "agent-crash" if "status" in detail:
            return f"agent was killed with status {detail['status']} and comes back"
        case "failed" if "reason" in detail:
            return f"failed: {detail['reason']}"
        case "prompt" | "answer" if "bytes" in detail:
            return f"{event.kind}ed ({detail['bytes']} bytes)"
        case "prompt-failed" | "answer-failed" if "message" in detail:
            outcome = OUTCOMES.get(str(detail.get("kind")), "failed")
            return f"{event.kind.removesuffix('-failed')} {outcome}: {detail['message']}"
    told = ", ".join(
        f"{key} {value if isinstance(value, str) else json.dumps(value)}".strip()
        for key, value in detail.items()
    )
    return f"{event.kind}{': ' if told else ''}{told}"


def moment(text: str, *, now: datetime) -> datetime:
    """A point in time: RFC 3339, or how long ago (30s, 10m, 2h, 1d). UsageError for anything else."""
    try:
        if ago := AGO.fullmatch(text):
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a point in time",
            hint=[Hint("logs", ["--since", since]) for since in ("10m", "2026-11-20T08:00:00Z")],
        ) from None


def _after(events: list[Event], told: list[Event]) -> list[Event]:
    """Those that were not told: the record only grows at its end, and loses its oldest."""
    last = told[-1] if told else None
    index = next((i for i in range(len(events) - 1, -1, -1) if events[i] == last), -1)
    return events[index + 1 :]


def _parsed(content: bytes) -> Iterator[Event]:
    for line in content.split(b"\n"):
        if line and len(line) <= LONGEST_LINE and (event := _event(line)):
            yield event


def _event(line: bytes) -> Event | None:
    try:
        said = json.loads(line)
        moment = clock.parse(said["time"])
        detail = said.get("detail", {})
        if moment and KIND.fullmatch(said["event"]) and isinstance(detail, dict):
            return Event(time=moment, kind=said["event"], detail=detail)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None


def _content(engine: Engine, session: Session) -> bytes:
    with _home(engine, session) as home:
        if home is not None:
            return b"\n".join(_tail(home, name) for name in FILES)
    folder = inside.HOME.joinpath(*FOLDER)
    script = 'for file; do timeout 5 tail -c "$0" -- "$file"; echo; done 2>/dev/null; true'
    command = ("/bin/sh", "-c", script, str(LARGEST), *(str(folder / name) for name in FILES))
    if session.running:
        return engine.exec(session.container, command, timeout=30).stdout
    volume, _ = plan.volume_mounts(session.name, read_only=True)
    return engine.run_one_off(
        OneOff(image=session.image, command=command, mounts=(volume,)), timeout=60
    ).stdout


def _mark(engine: Engine, session: Session) -> object:
    """Something that changes with the record, None where that cannot be seen from here."""
    with _home(engine, session) as home:
        if home is None:
            return None
        found = []
        for name in FILES:
            with contextlib.suppress(OSError):
                descriptor = nofollow.open_file(home, *FOLDER, name)
                status = os.fstat(descriptor)
                os.close(descriptor)
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return found


@contextlib.contextmanager
def _home(engine: Engine, session: Session) -> Iterator[Path | int | None]:
    """The session's home, if this process can read it: in its running container, or its volume.

    The container needs no call of the engine.
    """
    root = local_files.open_root(engine, session)
    home: int | None = None
    if root is not None:
        with contextlib.suppress(OSError):
            home = nofollow.open_directory(root, *inside.HOME.parts[1:])
        os.close(root)
    if home is None:
        yield local_files.volume_path(engine, volume_names(session.name)[0])
        return
    try:
        yield home
    finally:
        os.close(home)


def _tail(home: Path | int, name: str) -> bytes:
    try:
        descriptor = nofollow.open_file(home, *FOLDER, name)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        file.seek(max(0, size - LARGEST))
        return file.read(LARGEST)
