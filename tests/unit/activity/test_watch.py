"""ls, status, wait and watch on an engine in memory, and what watch tells whom:
desktops, a URL, a command of the user's.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent_session.activity import notify, watch
from agent_session.activity.state import Question, State, Value
from agent_session.activity.watch import Change
from agent_session.errors import ConfigurationError
from agent_session.sessions import find
from tests.unit.machine import Machine
from tests.unit.state_file import line, write
from tests.waiting import until

MORNING = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.fixture
def web(machine: Machine) -> Machine:
    """A machine on which the session "web" waits for a person."""
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    asked = {"kind": "permission", "text": "Bash:\nrm -rf build", "choices": ["once", "reject"]}
    tell(machine, "waiting", reason="Bash: rm -rf build", question=asked)
    return machine


def tell(machine: Machine, value: str, **more: Any) -> None:
    write(machine.engine, find.get(machine.engine, "web"), line(value, **more))


# ls


def test_ls_shows_what_each_agent_does_and_since_when(web: Machine) -> None:
    web.ok("start", "-d", "-a", "shell", "-n", "zzz")
    web.ok("stop", "zzz")
    head, first, second = web.ok("ls").splitlines()
    assert head.split()[:5] == ["NAME", "AGENT", "STATUS", "STATE", "SINCE"]
    assert first.split()[:6] == ["web", "shell", "running", "waiting", "just", "now"]
    assert second.split()[:6] == ["zzz", "shell", "stopped", "exited", "just", "now"]
    shown = web.listed()[0]["state"]
    assert isinstance(shown, dict)
    assert shown.keys() == {"value", "since", "reason", "source"}
    assert (shown["value"], shown["reason"]) == ("waiting", "Bash: rm -rf build")


# status


def test_status_tells_everything_about_one_session(web: Machine) -> None:
    told = dict(row.split(":", 1) for row in web.ok("status", "web").splitlines())
    assert told["state"].strip().startswith("waiting, since ")
    assert told["question"].strip() == "permission: Bash: / rm -rf build"
    assert told["answers"].strip() == "once, reject"
    assert told["project"].strip() == f"{web.project} at /workspace/app"
    found = json.loads(web.ok("status", "web", "--json"))
    assert found["state"]["question"]["choices"] == ["once", "reject"]
    assert found["volumes"] == {"agent_web_home": True, "agent_web_workspace": True}
    assert found.keys() >= web.listed()[0].keys()


def test_status_keeps_digests_and_ids_for_who_looks_for_a_fault(web: Machine) -> None:
    def told(*options: str) -> dict[str, str]:
        rows = web.ok("status", "web", *options).splitlines()
        return {key: value.strip() for key, _, value in (row.partition(":") for row in rows)}

    plain, explained = told(), told("--explain")
    assert plain["container"] == "agent_web"
    assert explained["container"].startswith("agent_web ")
    assert (plain["image"], plain["protection"]) == ("localhost/agent-session-shell", "review")
    assert explained["image"].startswith("localhost/agent-session-shell:")
    assert explained["protection"].startswith("review (")
    assert plain["limits"] == "4096 processes"
    assert plain["login"] == "none needed"


def test_status_names_the_login_that_the_agent_gets(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ok("start", "-d", "-a", "claude", "-n", "web")
    assert "login:                 none found" in machine.ok("status", "web").splitlines()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    assert "login:                 ANTHROPIC_API_KEY" in machine.ok("status", "web").splitlines()


def test_status_explains_how_it_knows(web: Machine) -> None:
    shown = web.ok("status", "web", "--explain")
    assert "read through /proc, without a process" in shown
    assert "process 16 of the container, begun at tick 4711: lives" in shown
    explained = json.loads(web.ok("status", "web", "--explain", "--json"))["explained"]
    assert explained["state"] == "its files says waiting"
    web.ok("stop", "web")
    assert "podman says exited" in web.ok("status", "web", "--explain")


def test_status_is_of_the_session_that_a_variable_names(
    web: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "waiting" in web.ok("status")
    monkeypatch.setenv("AGENT_SESSION_NAME", "missing")
    assert web("status").code == 4


def test_secrets_are_told_to_scripts_that_ask(web: Machine) -> None:
    assert "secrets" not in json.loads(web.ok("status", "web", "--json"))
    assert json.loads(web.ok("status", "web", "--json", "--secrets"))["secrets"] == {}
    assert web("status", "web", "--secrets").code == 2


# wait


def test_wait_says_what_was_reached(web: Machine) -> None:
    assert web.ok("wait", "web") == "web\twaiting\n"
    assert json.loads(web.ok("wait", "--json", "web"))["state"]["question"]["kind"] == "permission"


def test_wait_has_an_exit_code_for_each_end(web: Machine) -> None:
    late = web("wait", "--until", "idle,failed", "--timeout", "0", "web")
    assert (late.code, late.out) == (124, "")
    assert "session 'web' did not become idle or failed within 0 s" in late.err
    assert web("wait", "web", "missing").code == 4
    assert web("wait", "--until", "done", "web").code == 2
    for seconds in ("-1", "nan", "x"):
        assert web("wait", "--timeout", seconds, "web").code == 2
    assert web("wait", "../etc").code == 2


# watch


def seen(
    value: Value, *, name: str = "web", since: datetime = MORNING, reason: str = "", **more: Any
) -> Change:
    return Change(name=name, state=State(value=value, since=since, reason=reason, **more), before=None)


def watched(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, *told: Change, options: tuple[str, ...] = ()
) -> Any:
    monkeypatch.setattr(watch, "changes", lambda _engine, _names=(): iter(told))
    return machine("watch", *options)


def test_watch_tells_each_change_in_a_line(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (seen("waiting", reason="Bash: make"), Change(name="web", state=None, before=State(value="idle")))
    lines = watched(web, monkeypatch, *told).out.splitlines()
    assert [row.split("  ", 1)[1] for row in lines] == [
        "web           waiting   Bash: make",
        "web           removed",
    ]
    first, last = map(json.loads, watched(web, monkeypatch, *told, options=("--json",)).out.splitlines())
    assert (first["name"], first["state"]["value"], first["before"]) == ("web", "waiting", None)
    assert (last["state"], last["before"]) == (None, "idle")


def test_watch_prints_no_line_twice(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    later = MORNING + timedelta(seconds=1)
    told = (seen("working"), seen("working", since=later), seen("idle"), seen("working", since=later))
    values = [row.split()[-1] for row in watched(web, monkeypatch, *told).out.splitlines()]
    assert values == ["working", "idle", "working"]
    assert len(watched(web, monkeypatch, *told, options=("--json",)).out.splitlines()) == 4


def test_watched_sessions_must_be_there(web: Machine) -> None:
    missing = web("watch", "web", "missing")
    assert (missing.code, missing.out) == (4, "")
    assert "session 'missing' not found" in missing.err


def test_of_watched_sessions_others_are_left_out_and_a_removal_is_told(web: Machine) -> None:
    web.ok("start", "-d", "-a", "shell", "-n", "other")
    changes = watch.changes(web.engine, ["web"])
    assert next(changes).name == "web"
    web.ok("stop", "other")
    web.ok("stop", "web")
    web.ok("rm", "-f", "web")
    told = [next(changes)]
    while told[-1].state is not None:
        told.append(next(changes))
    assert {change.name for change in told} == {"web"}


@pytest.mark.parametrize("on", [("done", "true"), ("", "true"), ("idle,", "true")])
def test_a_state_that_is_none_is_refused(web: Machine, on: tuple[str, str]) -> None:
    assert web("watch", "--on", *on).code == 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x", "x", "https://x/a b", "http://x\n"])
def test_only_what_can_be_posted_to_is_a_notify_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match="notify_url"):
        notify.check_url(url)
    assert notify.check_url("https://ntfy.example/topic")


@pytest.fixture
def desktop(tmp_path: Path) -> Path:
    """A directory of programs in which notify-send writes its arguments to the file `sent` beside it,
    one a line.
    """
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "notify-send").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" end >>{bin_}/sent\n')
    (bin_ / "notify-send").chmod(0o755)
    (bin_ / "sent").touch()
    return bin_


def teller(desktop: Path, url: str | None = None) -> tuple[notify.Notifier, list[str]]:
    notes: list[str] = []
    environment = {"PATH": f"{desktop}:{os.environ['PATH']}"}
    return notify.Notifier(environment=environment, url=url, note=notes.append), notes


def test_one_notification_for_each_time_it_waits(desktop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "APART", 0.2)
    tells, _ = teller(desktop)
    evening = MORNING.replace(hour=20)
    for change in (
        seen("working"),
        seen("waiting", reason='<b>"$(reboot)" & -x'),
        seen("waiting", reason="the same, told better"),
        seen("unknown"),
        seen("waiting", reason="and again"),
        seen("working", since=evening),
        seen("waiting", since=evening, question=Question(kind="question", text="Which one?")),
        seen("idle", since=evening),
    ):
        tells.handle(change)
    sent = desktop / "sent"
    until(lambda: sent.read_text().count("end\n") == 2, "two notifications", told=sent.read_text)
    assert sent.read_text().splitlines() == [
        "--app-name=agent-session", "--", "web waits for you", '&lt;b&gt;"$(reboot)" &amp; -x', "end",
        "--app-name=agent-session", "--", "web waits for you", "Which one?", "end",
    ]  # fmt: skip


class Heard(BaseHTTPRequestHandler):
    """Keeps what is posted, and answers as the path says."""

    posted: list[tuple[str, str, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.posted.append((self.path, self.headers["Title"], body))
        self.send_response(500 if "error" in self.path else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server's URL, and what is posted to it."""
    posted: list[tuple[str, str, str]] = []
    handler = type("Handler", (Heard,), {"posted": posted})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", posted
        http.shutdown()
        thread.join()


def test_a_notification_is_posted_as_a_text_with_a_title(
    desktop: Path, server: tuple[str, list[tuple[str, str, str]]]
) -> None:
    url, posted = server
    tells, notes = teller(desktop, f"{url}/topic")
    tells.handle(seen("waiting", reason="Größe? “ja”"))
    until(lambda: posted, "what was posted")
    assert posted == [("/topic", "web waits for you", "Größe? “ja”")]
    assert notes == []


def test_what_cannot_be_posted_is_noted_without_the_url_and_the_next_goes_out(
    desktop: Path, server: tuple[str, list[tuple[str, str, str]]]
) -> None:
    url, posted = server
    tells, notes = teller(desktop, f"{url}/error-secret-topic")
    tells.handle(seen("waiting"))
    tells.handle(seen("waiting", name="api"))
    until(lambda: len(notes) == 2, "two notes")
    assert len(posted) == 2
    assert all(
        note.startswith("a notification could not be posted: ") and "secret" not in note for note in notes
    )


def test_a_server_that_never_answers_holds_nobody_up(desktop: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        tells, _ = teller(desktop, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        for number in range(200):
            tells.handle(seen("waiting", name=f"s{number}"))
        until(lambda: "s0 waits" in (desktop / "sent").read_text(), "the desktop's notification")


def test_a_server_that_speaks_no_http_is_noted(desktop: Path) -> None:
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()
        tells, notes = teller(desktop, f"http://127.0.0.1:{rude.getsockname()[1]}/")
        tells.handle(seen("waiting"))
        connection, _ = rude.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"\0\xff nonsense\r\n\r\n")
        until(lambda: notes, "a note")


def test_without_a_desktop_the_terminal_is_told(desktop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (desktop / "notify-send").write_text("#!/bin/sh\nexit 1\n")
    for term, sequence in (
        ("xterm-256color", "\x1b]9;web waits for you: why\x1b\\"),
        ("foot", "\x1b]777;notify;web waits for you;why\x1b\\"),
    ):
        reader, writer = os.openpty()
        with os.fdopen(writer, "w") as terminal:
            monkeypatch.setattr("sys.stderr", terminal)
            tells, _ = teller(desktop)
            tells.environment = {**tells.environment, "TERM": term}
            tells.handle(seen("waiting", reason="why"))
            assert os.read(reader, 1000).decode() == sequence
            monkeypatch.undo()
        os.close(reader)


def test_a_command_gets_what_happened_in_variables_and_never_in_its_words(tmp_path: Path) -> None:
    command = (
        f'printf "%s|%s|%s|%s\\n" "$AGENT_SESSION_NAME" "$AGENT_SESSION_STATE" '
        f'"$AGENT_SESSION_REASON" "$AGENT_SESSION_SINCE" >>{tmp_path}/said'
    )
    order = notify.StateCommand(values=("waiting", "failed"), command=command)
    runs = notify.CommandRunner(command=order, environment={"PATH": os.environ["PATH"]}, note=pytest.fail)
    evil = f"$(touch {tmp_path}/evil) `touch {tmp_path}/evil`; touch {tmp_path}/evil '\""
    runs.handle(seen("waiting", reason=evil))
    runs.handle(seen("idle"))
    first = State(value="failed", since=MORNING, reason="429")
    runs.handle(Change(name="api", state=first, before=None))
    runs.handle(
        Change(name="api", state=State(value="failed", since=MORNING, reason="429, told again"), before=first)
    )
    until(
        lambda: not [process for process in runs.running if process.poll() is None], "the end of the commands"
    )
    assert sorted((tmp_path / "said").read_text().splitlines()) == [
        "api|failed|429|2026-11-21T08:00:00.000Z",
        f"web|waiting|{evil}|2026-11-21T08:00:00.000Z",
    ]
    assert not (tmp_path / "evil").exists()


def test_an_agent_that_toggles_its_state_has_one_command_run_and_the_last_one_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "APART", 1.0)
    order = notify.StateCommand(
        values=("waiting",), command=f'echo "$AGENT_SESSION_REASON" >>{tmp_path}/said'
    )
    runs = notify.CommandRunner(command=order, environment={"PATH": os.environ["PATH"]}, note=pytest.fail)
    for number in range(100):
        runs.handle(seen("waiting", reason=str(number)))
        runs.handle(seen("idle"))
    runs.handle(seen("waiting", reason="other", name="other"))
    runs.handle(seen("waiting", reason="last"))

    def said() -> list[str]:
        return (tmp_path / "said").read_text().split() if (tmp_path / "said").exists() else []

    until(lambda: len(said()) == 3, "three runs", told=lambda: str(said()))
    assert sorted(said()) == ["0", "last", "other"]
    runs.handle(seen("waiting", reason="over before it may run"))
    runs.handle(seen("idle"))
    time.sleep(1.3)
    assert len(said()) == 3
    for process in runs.running:
        process.wait()


def test_commands_that_do_not_end_are_not_heaped_up() -> None:
    notes: list[str] = []
    order = notify.StateCommand(values=("idle",), command="exec sleep 60")
    runs = notify.CommandRunner(command=order, environment={"PATH": os.environ["PATH"]}, note=notes.append)
    try:
        for number in range(12):
            runs.handle(seen("idle", name=f"s{number}"))
        assert len(runs.running) == notify.MOST_AT_ONCE
        assert len(notes) == 12 - notify.MOST_AT_ONCE
    finally:
        for process in runs.running:
            process.kill()
            process.wait()
