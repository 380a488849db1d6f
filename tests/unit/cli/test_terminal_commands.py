"""exec, cp, send, screen and logs on an engine in memory:
what is refused, what is made of words, keys and records.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest

from agent_session import inside, sanitize
from agent_session.activity import event_log, keys, terminal
from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY
from agent_session.engine.command import ExecResult
from agent_session.errors import ConflictError, NotFoundError, UsageError
from agent_session.host.umask import umask
from agent_session.sessions import copy, find, lifecycle, untrusted_tar
from agent_session.sessions.errors import CopyRefused, SessionStopped
from agent_session.sessions.names import volume_names
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project
from tests.fake_engine import FakeEngine

IMAGE = "localhost/agent-session-stub:1"
AGENT = Agent(name="stub", title="Stub", folder=Path("/agents/stub"))
Make = Callable[..., tuple[FakeEngine, Session]]


@pytest.fixture
def made(home: Path) -> Make:
    """A session "web" on an engine whose commands a test may say."""

    def make(
        answer: Callable[[Sequence[str], bytes], ExecResult] = lambda _command, _stdin: ExecResult(
            exit_code=0
        ),
    ) -> tuple[FakeEngine, Session]:
        def commands(_name: str, command: Sequence[str], stdin: bytes) -> ExecResult:
            return (
                ExecResult(exit_code=0)
                if command[0] == "/usr/local/bin/session-seed"
                else answer(command, stdin)
            )

        engine = FakeEngine(
            images=[IMAGE], commands=commands, one_offs=lambda one_off, stdin: answer(one_off.command, stdin)
        )
        (home / "app").mkdir()
        project = Project(source=home / "app", target=PurePosixPath("/workspace/app"))
        request = SessionRequest(name="web", agent=AGENT, image=IMAGE, projects=(project,))
        return engine, lifecycle.create(engine, request, EMPTY, screen=False)

    return make


# exec


def test_exec_gives_a_terminal_only_where_there_is_one(made: Make) -> None:
    engine, session = made()
    assert terminal.command(engine, session, ["ls", "-la"], {}, terminal=False) == [
        "podman",
        "exec",
        "-i",
        "agent_web",
        "/usr/local/bin/session-exec",
        "ls",
        "-la",
    ]
    assert "-it" in terminal.command(engine, session, ["ls"], {"TERM": "xterm"}, terminal=True)


def test_a_stopped_session_is_a_conflict_that_says_how_to_wake_it(made: Make) -> None:
    engine, session = made()
    engine.stop(session.container)
    with pytest.raises(SessionStopped, match="session 'web' is stopped") as caught:
        terminal.running(engine, "web")
    assert (caught.value.exit_code, caught.value.hint) == (5, "agent-session restart web")


# send


@pytest.mark.parametrize(
    ("typed", "zellij"),
    [
        ("Enter", "Enter"),
        ("esc", "Esc"),
        ("PgUp", "PageUp"),
        ("F12", "F12"),
        ("C-c", "Ctrl c"),
        ("M-x", "Alt x"),
        ("S-Tab", "Shift Tab"),
        ("C-M-Left", "Ctrl Alt Left"),
        ("-", "-"),
        ("C--", "Ctrl -"),
        ("ö", "ö"),
        # tmux's names
        ("Escape", "Esc"),
        ("BSpace", "Backspace"),
        ("PPage", "PageUp"),
        ("NPage", "PageDown"),
        ("IC", "Insert"),
        ("DC", "Delete"),
        ("BTab", "Shift Tab"),
        ("C-BTab", "Ctrl Shift Tab"),
        ("S-BTab", "Shift Tab"),
        ("KPEnter", "Enter"),
        ("^C", "Ctrl c"),
        ("^", "^"),
        ("Ctrl-c", "Ctrl c"),
        ("Alt+Enter", "Alt Enter"),
        ("shift-tab", "Shift Tab"),
    ],
)
def test_keys_have_names(typed: str, zellij: str) -> None:
    assert keys.spelled(typed) == zellij


@pytest.mark.parametrize("typed", ["", "Nonsense", "C-", "C-C-x", "X-x", "F13", "\x03", " ", "ab"])
def test_what_is_no_key_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="is not a key"):
        keys.spelled(typed)


def test_text_is_made_harmless_and_stays_readable() -> None:
    assert (
        sanitize.typed("a\r\nb\rc\td\x1b[201~\x03\x7f\x9b\udc80ö")
        == "a\nb\nc\td␛[201~␃␡\ufffd\ufffdö".encode()
    )


def test_text_goes_by_stdin_and_keys_by_name(made: Make) -> None:
    seen = []

    def answer(command: Sequence[str], stdin: bytes) -> ExecResult:
        seen.append((list(command), stdin))
        return ExecResult(exit_code=0)

    engine, session = made(answer)
    terminal.send(engine, session, terminal.Typing(text="größe", keys=("C-u",), enter=True))
    assert seen == [(["/usr/lib/agent-session/type-text", "--enter", "Ctrl u"], "größe".encode())]


def test_nothing_is_typed_where_a_key_is_wrong_or_the_text_too_long(made: Make) -> None:
    engine, session = made(lambda _command, _stdin: pytest.fail("typed"))
    for typing in (terminal.Typing(text="x", keys=("Nope",)), terminal.Typing(text="x" * 1_000_001)):
        with pytest.raises(UsageError):
            terminal.send(engine, session, typing)


def test_a_closed_pane_is_a_conflict(made: Make) -> None:
    engine, session = made(
        lambda *_: ExecResult(exit_code=1, stderr=b"its first terminal is closed\x1b[2J\n")
    )
    with pytest.raises(ConflictError, match=r"its first terminal is closed$"):
        terminal.send(engine, session, terminal.Typing(text="x"))


# screen


def test_of_escape_sequences_only_colours_are_let_through(made: Make) -> None:
    screen = (
        b"\x1b[1;38;2;1;2;3mred\x1b[m\x1b[2J\x1b]0;title\x07\x1b]8;;"
        b"http://x\x1b\\link\x1bPq\x1b\\\x1b(B\x07\r\nend\x9b\n\x1b[m \n\n"
    )
    engine, session = made(lambda *_: ExecResult(exit_code=0, stdout=screen))
    assert terminal.shown(engine, session) == "\x1b[1;38;2;1;2;3mred\x1b[mlink\nend\ufffd"
    assert sanitize.lines("\x1b[1mx\x1b]52;c;AAAA\x07\x1b[?1049h\x1b") == "x"
    assert sanitize.coloured("\u202e\x1b[1mx\u2066y\x9b") == "\x1b[1mxy"
    assert sanitize.message("a\x1b[2J\u202eb\n\tc\xad") == "ab c\N{REPLACEMENT CHARACTER}"


# logs

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-11-20T08:00:00Z", NOW.replace(hour=8)),
        ("2026-11-20T09:00:00+01:00", NOW.replace(hour=8)),
    ],
)
def test_since_is_a_time_or_how_long_ago(text: str, moment: datetime) -> None:
    assert event_log.moment(text, now=NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "-1h", "999999999d", "10 m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a point in time"):
        event_log.moment(text, now=NOW)


def record(engine: FakeEngine, *lines: str | bytes, name: str = "events.jsonl") -> Path:
    home = engine.files.volume_path(volume_names("web")[0])
    assert home is not None
    file = home.joinpath(*event_log.FOLDER, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return file


def line(kind: str, minute: int = 0, **detail: object) -> str:
    return json.dumps({"time": f"2026-11-20T12:{minute:02}:00Z", "event": kind, "detail": detail})


@pytest.mark.parametrize(
    ("kind", "detail", "sentence"),
    [
        ("start", {}, "session started"),
        ("agent-end", {"status": 3}, "agent ended with status 3"),
        ("state", {"value": "waiting", "reason": "Bash: make"}, "agent is waiting: Bash: make"),
        ("state", {}, "agent is unknown"),
        ("prompt", {"bytes": 15}, "prompted (15 bytes)"),
        ("answer", {"bytes": 4}, "answered (4 bytes)"),
        (
            "prompt-failed",
            {"kind": "refused", "message": "Claude is waiting", "state": {}},
            "prompt refused: Claude is waiting",
        ),
        ("answer-failed", {"kind": "server", "message": "no"}, "answer failed: no"),
        ("answer-failed", {"kind": ["x"], "message": {}}, "answer failed: {}"),
        ("prompt", {"characters": [1]}, "prompt: characters [1]"),
        ("of-the-agent", {"words": "a b", "n": 1}, "of-the-agent: words a b, n 1"),
        ("start", {"why": "x"}, "start: why x"),
    ],
)
def test_what_happened_is_told_in_words(kind: str, detail: dict[str, object], sentence: str) -> None:
    assert event_log.sentence(event_log.Event(time=NOW, kind=kind, detail=detail)) == sentence


def test_a_record_is_read_from_both_files_in_order(made: Make) -> None:
    engine, session = made()
    record(engine, line("start"), name="events.1.jsonl")
    record(engine, line("agent-end", 1, status=3))
    assert [(event.kind, event.detail) for event in event_log.read(engine, session)] == [
        ("start", {}),
        ("agent-end", {"status": 3}),
    ]
    assert [event.kind for event in event_log.read(engine, session, since=NOW + timedelta(seconds=30))] == [
        "agent-end"
    ]


def test_what_is_no_event_is_passed_over(made: Make) -> None:
    engine, session = made()
    deep = b'{"time": "2026-11-20T12:00:00Z", "event": "x", "detail": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    broken: list[str | bytes] = [
        "",
        "nonsense",
        "[]",
        '{"event": "x"}',
        '{"time": "2026-11-20T12:00:00", "event": "naive"}',
        line("Bad Kind"),
        line("bad\nkind"),
        '{"time": 1, "event": "x"}',
        line("long", text="x" * 80_000),
        b"\xff\xfe",
        deep,
    ]
    record(engine, *broken, line("good"))
    assert [event.kind for event in event_log.read(engine, session)] == ["good"]


def test_no_link_is_followed_to_a_record(made: Make, tmp_path: Path) -> None:
    engine, session = made()
    outside = tmp_path / "outside"
    outside.write_text(line("secret") + "\n")
    file = record(engine, line("mine"))
    file.unlink()
    file.symlink_to(outside)
    assert event_log.read(engine, session) == []
    file.unlink()
    os.mkfifo(file)
    assert event_log.read(engine, session) == []
    (outside_folder := tmp_path / "folder").mkdir()
    (outside_folder / "events.jsonl").write_text(line("secret") + "\n")
    file.unlink()
    (file.parent / "events.1.jsonl").unlink(missing_ok=True)
    file.parent.rmdir()
    file.parent.symlink_to(outside_folder)
    assert event_log.read(engine, session) == []


def test_following_tells_each_event_once_and_ends_with_the_session(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, session = made()
    one, two, three = line("start"), line("two", 1), line("three", 2)
    steps: list[Callable[[], object]] = [
        lambda: record(engine, one, two),
        lambda: record(engine, two, three),  # as after a rotation
        lambda: engine.stop(session.container),
    ]
    record(engine, line("start"))
    monkeypatch.setattr("time.sleep", lambda _seconds: steps.pop(0)() if steps else None)
    monkeypatch.setattr(event_log, "SECONDS_THROUGH_ENGINE", 0.05)
    assert [event.kind for event in event_log.follow(engine, session)] == ["start", "two", "three"]


def test_a_running_sessions_record_is_read_in_its_container_and_nobody_is_asked_for_its_volume(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, session = made()
    folder = engine.root(session.container).joinpath(*inside.HOME.parts[1:], *event_log.FOLDER)
    folder.mkdir(parents=True)
    record(engine, line("start")).rename(folder / "events.jsonl")
    with monkeypatch.context() as running:
        running.setattr(engine.files, "volume_path", lambda _name: pytest.fail("it was asked for"))
        assert [event.kind for event in event_log.read(engine, session)] == ["start"]
    engine.stop(session.container)
    assert event_log.read(engine, session) == []
    record(engine, line("stop"))
    assert [event.kind for event in event_log.read(engine, session)] == ["stop"]


def test_where_no_file_can_be_read_the_engine_is_asked(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, session = made(
        lambda command, _stdin: ExecResult(
            exit_code=0, stdout=line("start").encode() if command[0] == "/bin/sh" else b""
        )
    )
    monkeypatch.setattr(engine.files, "volume_path", lambda _name: None)
    assert [event.kind for event in event_log.read(engine, session)] == ["start"]
    engine.stop(session.container)
    assert [event.kind for event in event_log.read(engine, find.get(engine, "web"))] == ["start"]


# cp


def member(name: str, content: bytes | None = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    for key, value in fields.items():
        setattr(entry, key, value)
    entry.size = len(content or b"") if entry.isreg() else 0
    return entry, content or b""


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for entry, content in members:
            made.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=to)


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("a", "/workspace/app/a"),
        ("/etc/x", "/etc/x"),
        ("", "/workspace/app/"),
        ("~/x y", "/home/agent/x y"),
        (".", "/workspace/app/."),
    ],
)
def test_a_path_in_a_session_starts_where_its_agent_does(made: Make, path: str, absolute: str) -> None:
    assert copy.Place(session=made()[1], typed=path).path == absolute


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "top/../../evil", "other/f"])
def test_a_name_that_leads_elsewhere_ends_the_copy(tmp_path: Path, name: str) -> None:
    with pytest.raises(CopyRefused):
        untrusted_tar.receive(
            tar(member("top", None), member(name)), str(tmp_path / "got"), name="top", fenced=[]
        )
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "first",
    [
        link("top", "/etc"),
        member("a/b"),
        member("x", b"", type=tarfile.CHRTYPE),
        link("top", "x", tarfile.LNKTYPE),
    ],
)
def test_what_comes_is_one_file_or_folder(tmp_path: Path, first: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(CopyRefused):
        untrusted_tar.receive(tar(first), str(tmp_path / "got"), name="top", fenced=[])
    assert not (tmp_path / "got").exists()


def test_links_outwards_and_devices_are_left_out_and_told(tmp_path: Path) -> None:
    evil = [
        link("top/abs", "/etc/passwd"),
        link("top/up", "../x"),
        link("top/d/up", "../../x"),
        link("top/d/back", "x/../../../y"),
        link("top/hard", "/etc/passwd", tarfile.LNKTYPE),
        member("top/dev", b"", type=tarfile.BLKTYPE),
        member("top/pipe", b"", type=tarfile.FIFOTYPE),
    ]
    good = [
        member("top", None),
        member("top/d", None),
        member("top/d/f"),
        link("top/in", "d/f"),
        link("top/d/in", "../d/f"),
    ]
    notes = untrusted_tar.receive(tar(*good, *evil), str(tmp_path / "got"), name="top", fenced=[])
    assert len(notes) == len(evil)
    assert sorted(str(path.relative_to(tmp_path / "got")) for path in (tmp_path / "got").rglob("*")) == [
        "d",
        "d/f",
        "d/in",
        "in",
    ]


def test_a_link_that_is_there_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    got = tmp_path / "got"
    got.mkdir()
    (got / "f").symlink_to(precious)
    untrusted_tar.receive(tar(member("f", b"new")), str(got / "f"), name="f", fenced=[])
    assert (precious.read_text(), (got / "f").read_text(), (got / "f").is_symlink()) == (
        "precious",
        "new",
        False,
    )
    (got / "d").symlink_to(tmp_path)
    with pytest.raises(CopyRefused, match="links are not followed"):
        untrusted_tar.receive(
            tar(member(".", None), member("d", None), member("d/precious", b"new")),
            str(got),
            name=".",
            fenced=[],
        )
    assert precious.read_text() == "precious"


def test_a_link_on_the_way_is_not_followed_where_an_agent_may_write(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / "sub").symlink_to(outside)
    for target in (project / "sub" / "f", project / "sub"):
        with pytest.raises(CopyRefused):
            untrusted_tar.receive(tar(member("f")), str(target), name="f", fenced=[project])
    assert list(outside.iterdir()) == []
    untrusted_tar.receive(tar(member("f")), str(project), name="f", fenced=[project])
    assert (project / "f").read_text() == "x"


def test_modes_are_plain_and_times_are_kept(tmp_path: Path) -> None:
    untrusted_tar.receive(
        tar(member("top", None, mode=0o555, mtime=1000), member("top/f", mode=0o6777, mtime=2000)),
        str(tmp_path / "got"),
        name="top",
        fenced=[],
    )
    found = (tmp_path / "got" / "f").stat()
    assert (found.st_mode & 0o7777, found.st_mtime) == (0o777 & ~umask(), 2000)
    assert (tmp_path / "got").stat().st_mtime == 1000


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_what_is_no_tar_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CopyRefused):
        untrusted_tar.receive(io.BytesIO(content), str(tmp_path / "got"), name="x", fenced=[])


def test_a_copy_goes_through_the_program_in_the_container_both_ways(made: Make, tmp_path: Path) -> None:
    arrived: dict[str, bytes] = {}

    def answer(command: Sequence[str], stdin: bytes) -> ExecResult:
        if command[1] == "get":
            return ExecResult(exit_code=0, stdout=tar(member("./notes.md", b"words")).getvalue())
        with tarfile.open(fileobj=io.BytesIO(stdin)) as sent:
            arrived.update({entry.name: entry.name.encode() for entry in sent})
        return ExecResult(exit_code=0)

    engine, session = made(answer)
    place = copy.Place(session=session, typed="notes.md")
    for name in ("running", "stopped"):
        assert copy.out(engine, place, str(tmp_path / name), []) == []
        assert (tmp_path / name).read_text() == "words"
        assert copy.into(engine, str(tmp_path / name), place, []) == []
        engine.stop(session.container)
        place = copy.Place(session=find.get(engine, "web"), typed="notes.md")
    assert list(arrived) == ["file"]


def test_what_the_container_says_is_told_without_its_escapes(made: Make, tmp_path: Path) -> None:
    engine, session = made(lambda *_: ExecResult(exit_code=4, stderr=b"/x: not \x1b[2Jfound\n"))
    with pytest.raises(NotFoundError, match="not \ufffd") as caught:
        copy.out(engine, copy.Place(session=session, typed="/x"), str(tmp_path / "got"), [])
    assert "\x1b" not in caught.value.message


def test_of_a_stopped_session_only_what_is_kept_can_be_reached(made: Make, tmp_path: Path) -> None:
    engine, session = made()
    engine.stop(session.container)
    for path in ("/tmp/x", "~/../../etc/passwd"):
        with pytest.raises(ConflictError, match="is stopped"):
            copy.out(
                engine, copy.Place(session=find.get(engine, "web"), typed=path), str(tmp_path / "got"), []
            )
