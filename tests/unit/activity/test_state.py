"""States as they are read from containers' files: what is believed, what is shown, what changes.

On an engine in memory.
"""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from agent_session.activity import shapes, watch
from agent_session.activity import state as states
from agent_session.activity.state import Question, State
from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY
from agent_session.engine.command import ExecResult
from agent_session.errors import EngineRefused, TimedOut
from agent_session.sessions import find, lifecycle
from agent_session.sessions.errors import SessionNotFound
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project
from tests.fake_engine import FakeEngine
from tests.unit.state_file import WRITER, line, now, stat, write

IMAGE = "localhost/agent-session-stub:1"
AGENT = Agent(name="stub", title="Stub", folder=Path("/agents/stub"))
Make = Callable[..., Session]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(images=[IMAGE])


@pytest.fixture
def make(engine: FakeEngine, home: Path) -> Make:
    """Sessions by name."""
    (home / "app").mkdir()

    def made(name: str = "web") -> Session:
        project = Project(source=home / "app", target=PurePosixPath("/workspace/app"))
        request = SessionRequest(name=name, agent=AGENT, image=IMAGE, projects=(project,))
        return lifecycle.create(engine, request, EMPTY, screen=False)

    return made


def state(engine: FakeEngine, name: str = "web") -> State:
    return states.read(engine, [find.get(engine, name)])[name]


# what is believed


def test_a_state_is_what_the_agent_says(engine: FakeEngine, make: Make) -> None:
    since = now()
    write(engine, make(), line("working", since=since, reason="Bash: make"))
    assert state(engine) == State(
        value="working", since=datetime.fromisoformat(since), reason="Bash: make", source="its files"
    )


def test_what_it_waits_for_comes_with_its_text_and_choices(engine: FakeEngine, make: Make) -> None:
    asked = {"kind": "permission", "text": "Bash:\nrm -rf build", "choices": ["once", "reject"]}
    session = make()
    write(engine, session, line("waiting", question=asked))
    assert state(engine).question == Question(
        kind="permission", text="Bash:\nrm -rf build", choices=("once", "reject")
    )
    write(engine, session, line("idle", question=asked))
    assert state(engine).question is None


def test_a_stopped_session_has_exited(engine: FakeEngine, make: Make) -> None:
    session = make()
    write(engine, session, line())
    before = datetime.now(UTC)
    engine.stop(session.container)
    found = state(engine)
    assert found == State(value="exited", since=found.since, reason="the session is stopped", source="podman")
    assert found.since
    assert before <= found.since <= datetime.now(UTC)


def test_a_session_that_is_being_made_is_no_news_before_it_runs(
    engine: FakeEngine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make()
    made = replace(session, status="stopped", started=None, pid=None)
    assert states.interpret(made, None, now=made.created) is states.MADE
    write(engine, session, line("working"))
    lists = iter([[made], [session]])
    monkeypatch.setattr(watch, "LISTING_SECONDS", 0.02)
    monkeypatch.setattr(find, "list_sessions", lambda _engine: next(lists))
    first = next(watch.changes(engine))
    assert (first.state.value if first.state else None, first.before) == ("working", None)


def test_a_session_that_is_being_stopped_is_on_its_way_and_no_news(
    engine: FakeEngine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LISTING_SECONDS", 0.02)
    session = make()
    file = write(engine, session, line("working"))
    found = watch.changes(engine)
    assert next(found).name == "web"
    file.with_name("stopping").touch()
    write(engine, session, line("working"), "")
    assert state(engine) == states.ENDING
    assert list(watch.wait_for_states(engine, ["web"], ["unknown"])) == [("web", states.ENDING)]
    write(engine, make("other"), line("idle"))
    seen = [next(found).name]
    engine.stop(session.container)
    while (change := next(found)).name == "other":
        seen.append(change.name)
    assert set(seen) == {"other"}
    assert change.before
    assert change.state
    assert (change.before.value, change.state.value) == ("working", "exited")


def test_a_session_that_keeps_no_state_starts_or_is_an_old_one(engine: FakeEngine, make: Make) -> None:
    session = make()
    engine.root(session.container)
    assert (state(engine).value, state(engine).since) == ("starting", session.started)
    seen = states.observe(engine, [session])[0]
    later = states.interpret(session, seen, now=datetime.now(UTC) + timedelta(minutes=2))
    assert (later.value, later.reason) == (
        "unknown",
        "made by an older agent-session; run: agent-session update web",
    )


@pytest.mark.parametrize(
    "process",
    [
        stat((16, 4712)),
        stat((17, 4711)),
        stat(letter="Z"),
        stat(letter="X"),
        "",
        "16 (x) S 4711",
        "16 (16 (session-state) S " + " ".join(["1"] * 18) + " 4711) S " + " ".join(["1"] * 18) + " 9 0\n",
    ],
)
def test_a_state_whose_writer_is_dead_is_not_shown(engine: FakeEngine, make: Make, process: str) -> None:
    write(engine, make(), line("working"), process)
    assert (state(engine).value, state(engine).reason) == (
        "unknown",
        "the program that reports its state has ended",
    )


def test_a_writer_may_have_any_name(engine: FakeEngine, make: Make) -> None:
    write(engine, make(), line(), stat(name="a) Z 1 (b\n"))
    assert state(engine).value == "idle"


def test_a_state_from_before_the_containers_start_is_not_shown(engine: FakeEngine, make: Make) -> None:
    session = make()
    write(engine, session, line(since=now(ago=3600)))
    assert (state(engine).value, state(engine).reason) == (
        "unknown",
        "its state is older than its container's start",
    )


def test_a_clock_that_is_set_makes_no_state_old(engine: FakeEngine, make: Make) -> None:
    session = make()
    write(engine, session, line(since=now(ago=3600)))
    hertz = os.sysconf("SC_CLK_TCK")
    first = engine.root(session.container) / "proc" / "1"
    first.mkdir()
    with Path("/proc/uptime").open() as uptime:
        began = int((float(uptime.read().split()[0]) - 7200) * hertz)
    (first / "stat").write_text(
        stat((1, began))
    )  # two hours old, though Podman's time says that it started just now
    assert state(engine).value == "idle"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"writer": ' + b"[" * 60_000,
        b"9" * 50_000,
        b"x" * 70_000,
        b" " * 66_000 + line().encode(),
        b'{"writer": [16, 4711]}',
        b'{"writer": 16, "state": {}}',
        b'{"writer": [true, 4711], "state": {}}',
        b'{"writer": [16.0, 4711], "state": {}}',
        b'{"writer": [-1, 4711], "state": {}}',
        b'{"writer": ["../../1", 4711], "state": {}}',
        b'{"writer": [16, 4711, 1], "state": {}}',
        b'[{"writer": [16, 4711]}]',
        b"null",
    ],
)
def test_what_is_no_state_is_unknown(engine: FakeEngine, make: Make, content: bytes) -> None:
    write(engine, make(), content)
    assert (state(engine).value, state(engine).reason) == ("unknown", "its state file does not hold a state")


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "idle",
        {},
        {"value": ["idle"], "since": "2030-01-01T00:00:00Z"},
        {"value": "asleep", "since": "2030-01-01T00:00:00Z"},
        {"value": "IDLE", "since": "2030-01-01T00:00:00Z"},
        {"value": "idle"},
        {"value": "idle", "since": 5},
        {"value": "idle", "since": "yesterday"},
        {"value": "idle", "since": "2030-01-01T00:00:00"},
        {"value": "idle", "since": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_value_that_is_none_of_the_list_is_unknown(engine: FakeEngine, make: Make, said: object) -> None:
    write(engine, make(), json.dumps({"writer": WRITER, "state": said}))
    assert state(engine).value == "unknown"
    assert state(engine).reason.startswith("its agent ")


def test_what_odd_fields_hold_is_left_out(engine: FakeEngine, make: Make) -> None:
    write(engine, make(), line("waiting", reason=["x"], source=3, question={"text": 7, "choices": {"a": 1}}))
    assert (state(engine).reason, state(engine).source) == ("", "agent")
    assert state(engine).question == Question(kind="question", text="")
    write(engine, find.get(engine, "web"), line("waiting", question=["x"]))
    assert state(engine).question is None


def test_no_text_moves_a_cursor_and_none_is_endless(engine: FakeEngine, make: Make) -> None:
    evil = "a\x1b[2J\x1b]0;t\x07\r\nb\u202e\x9b\ud800\x00"
    asked = {"kind": evil, "text": evil, "choices": [evil] * 100}
    write(engine, make(), line("waiting", reason=evil + "x" * 20_000, source=evil, question=asked))
    found = state(engine)
    assert found.question
    for text in (
        found.reason,
        found.source,
        found.question.kind,
        *found.question.choices,
        *found.question.text.split("\n"),
    ):
        assert text.isprintable()
    assert found.reason.startswith("a\ufffd[2J\ufffd]0;t\ufffd b")
    assert len(found.reason) <= states.LONGEST_REASON
    assert len(found.question.choices) == states.MOST_CHOICES
    json.dumps(shapes.agent_state(found, question=True)).encode()


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory", "linked folder", "socket"])
def test_only_a_regular_file_is_read_and_no_link_followed(
    engine: FakeEngine, make: Make, tmp_path: Path, kind: str
) -> None:
    session = make()
    file = write(engine, session, line("working"))
    if kind == "linked folder":
        file.parent.rename(tmp_path / "elsewhere")
        file.parent.symlink_to(tmp_path / "elsewhere")
    else:
        file.rename(tmp_path / "elsewhere")
        makers: dict[str, Callable[[], object]] = {
            "symlink": lambda: file.symlink_to(tmp_path / "elsewhere"),
            "fifo": lambda: os.mkfifo(file),
            "directory": file.mkdir,
            "socket": lambda: subprocess.run(
                ["python3", "-c", "import socket; socket.socket(socket.AF_UNIX).bind('state')"],
                cwd=file.parent,
                check=True,
            ),
        }
        makers[kind]()
    assert (state(engine).value, state(engine).reason) == (
        "unknown",
        "its state file cannot be read",
    )


# through an engine whose containers' files are not to be seen


def asked(engine: FakeEngine, answer: ExecResult | BaseException) -> None:
    def commands(_name: str, command: Sequence[str], _stdin: bytes) -> ExecResult:
        if command[0] != "/bin/sh":
            return ExecResult(exit_code=0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    engine.commands = commands


def test_where_no_file_can_be_seen_the_engine_is_asked(engine: FakeEngine, make: Make) -> None:
    make()
    asked(engine, ExecResult(exit_code=0, stdout=(stat() + line("working") + "\n").encode()))
    assert state(engine).value == "working"
    asked(engine, ExecResult(exit_code=0, stdout=(stat((16, 1)) + line("working") + "\n").encode()))
    assert state(engine).reason == "the program that reports its state has ended"
    asked(engine, ExecResult(exit_code=0, stdout=(line("working") + "\n").encode()))
    assert state(engine).reason == "the program that reports its state has ended"
    asked(engine, ExecResult(exit_code=5))
    assert state(engine) == states.ENDING
    asked(engine, ExecResult(exit_code=3))
    assert state(engine).value == "starting"
    asked(engine, TimeoutError())
    assert state(engine).reason == "its container did not answer"


def test_a_container_that_cannot_be_asked_is_unknown_and_one_that_has_ended_has_exited(
    engine: FakeEngine, make: Make
) -> None:
    session = make()
    asked(engine, EngineRefused("it is paused\x1b[2J"))
    assert (state(engine).value, state(engine).reason) == (
        "unknown",
        "it cannot be asked: it is paused\ufffd[2J",
    )
    listed = find.get(engine, "web")
    engine.stop(session.container)
    assert states.read(engine, [listed])["web"].value == "exited"


def test_twenty_are_read_at_once(engine: FakeEngine, make: Make) -> None:
    for number in range(20):
        write(engine, make(f"s{number}"), line("waiting" if number == 7 else "idle"))
    found = states.read(engine, find.list_sessions(engine))
    assert [name for name, one in found.items() if one.value == "waiting"] == ["s7"]
    assert len(found) == 20


# changes


@pytest.fixture(params=["file", "engine"])
def told(request: pytest.FixtureRequest, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set a session's state, where the kernel tells of it and where the engine is asked:
    (session, value, **more).
    """
    # The kernel has to tell: nobody asks within a minute.
    monkeypatch.setattr(watch, "LISTING_SECONDS", 60 if request.param == "file" else 0.02)
    monkeypatch.setattr(watch, "ASKING_SECONDS", 60 if request.param == "file" else 0.02)

    def tell(session: Session, value: str, **more: Any) -> None:
        if request.param == "file":
            write(engine, session, line(value, **more))
        else:
            asked(engine, ExecResult(exit_code=0, stdout=(stat() + line(value, **more)).encode()))

    return tell


def test_each_change_is_told_once(engine: FakeEngine, make: Make, told: Any) -> None:
    session = make()
    told(session, "working")
    found = watch.changes(engine)
    first = next(found)
    assert (first.name, first.before) == ("web", None)
    for before, after in (("working", "waiting"), ("waiting", "idle")):
        told(session, after)
        change = next(found)
        assert change.before
        assert change.state
        assert (change.before.value, change.state.value) == (before, after)
    found.close()  # type: ignore[attr-defined]


def test_sessions_come_and_go(engine: FakeEngine, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LISTING_SECONDS", 0.02)
    write(engine, make("first"), line())
    found = watch.changes(engine)
    assert next(found).name == "first"
    write(engine, make("second"), line("working"))
    change = next(found)
    while change.state and change.state.value == "starting":
        change = next(found)
    assert (change.name, change.state.value if change.state else None) == ("second", "working")
    engine.stop("agent_first")
    stopped = next(found)
    assert (stopped.name, stopped.state.value if stopped.state else None) == ("first", "exited")
    engine.remove("agent_first")
    assert (gone := next(found)).name == "first"
    assert gone.state is None


def test_waiting_ends_with_the_states_that_are_waited_for(engine: FakeEngine, make: Make, told: Any) -> None:
    session = make()
    told(session, "idle")
    assert [name for name, _ in watch.wait_for_states(engine, ["web"])] == ["web"]
    waited = watch.wait_for_states(engine, ["web", "web"], ["working"], seconds=30)
    told(session, "working")
    assert [(name, one.value) for name, one in waited] == [("web", "working")]


def test_waiting_ends_in_time_or_with_the_session(engine: FakeEngine, make: Make) -> None:
    session = make()
    write(engine, session, line("working"))
    with pytest.raises(TimedOut, match="session 'web' did not become idle or failed within 0 s") as late:
        list(watch.wait_for_states(engine, ["web"], ["idle", "failed"], seconds=0))
    assert late.value.exit_code == 124
    with pytest.raises(SessionNotFound):
        list(watch.wait_for_states(engine, ["web", "other"]))


def test_a_session_removed_meanwhile_is_not_found(
    engine: FakeEngine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LISTING_SECONDS", 0.02)
    write(engine, make("one"), line())
    write(engine, make("two"), line("working"))
    waited = watch.wait_for_states(engine, ["one", "two"])
    assert next(waited)[0] == "one"
    engine.remove("agent_two")
    with pytest.raises(SessionNotFound, match="two"):
        next(waited)


def test_nothing_stays_open(engine: FakeEngine, make: Make) -> None:
    session = make()
    write(engine, session, line())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        list(watch.wait_for_states(engine, ["web"]))
        with pytest.raises(TimedOut):
            list(watch.wait_for_states(engine, ["web"], ["failed"], seconds=0))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_words_of_states_are_checked() -> None:
    assert states.words("idle, failed") == ["idle", "failed"]
    for text in ("", "idle,", "Idle", "idle;failed", "done"):
        with pytest.raises(ValueError, match="is not a state; the states are starting, "):
            states.words(text)
