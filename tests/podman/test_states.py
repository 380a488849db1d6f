"""What agents do, of real sessions without a terminal: ls, status, wait and watch;
and containers that lie about it.
"""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.account import Account
from tests.storage import LAUNCHER, Storage
from tests.waiting import COMMAND_SECONDS, TIMEOUT, until

pytestmark = pytest.mark.podman
FILE = "/run/agent-session/state"


@pytest.fixture(scope="module")
def states(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001
    """An account in which the shell session "default" runs for all tests of this file."""
    account = Account(storage.path, storage.driver)
    try:
        account.ok("start", "-d", "-a", "shell", cwd=account.project())
        account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
        yield account
    finally:
        account.close()


@pytest.fixture
def idle(states: Account) -> Iterator[Account]:
    """The same, and what keeps its state is its own again after the test."""
    yield states
    inside(states, f"if [ -e {FILE}.old ]; then rm -rf {FILE}; mv {FILE}.old {FILE}; fi")
    states.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")


def state(account: Account, name: str = "default") -> dict[str, Any]:
    """As `ls --json` says."""
    found: dict[str, dict[str, Any]] = {
        session["name"]: session["state"] for session in json.loads(account.ok("ls", "--json"))
    }
    return found[name]


def inside(account: Account, script: str) -> None:
    account.podman("exec", "agent_default", "sh", "-c", script)


def forge(account: Account, **fields: Any) -> None:
    """Change what the container keeps of its state."""
    kept = json.loads(account.inside("default", "cat", FILE))
    kept["state"] |= fields
    put = f'cp {FILE} {FILE}.old; printf "%s\\n" "$0" >{FILE}.new && mv {FILE}.new {FILE}'
    account.podman("exec", "agent_default", "sh", "-c", put, json.dumps(kept))


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """How a command ended that was begun: exit code, stdout, stderr."""
    out, err = process.communicate(timeout=COMMAND_SECONDS)
    return process.returncode, out, err


# what is believed


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ("ln -s {file}.old {file}", "its state file cannot be read"),
        ("ln -s /proc/self/environ {file}", "its state file cannot be read"),
        ("mkfifo {file}", "its state file cannot be read"),
        ("mkdir {file}", "its state file cannot be read"),
        ("cp {file}.old {file}; chmod 000 {file}", ""),
        ("truncate -s 20G {file}", "its state file does not hold a state"),
        ("head -c 1000000 /dev/zero | tr '\\0' '[' >{file}", "its state file does not hold a state"),
        (
            'sed \'s/"writer": .[0-9]*,/"writer": [1,/\' {file}.old >{file}',
            "the program that reports its state has ended",
        ),
        (
            'sed \'s/"writer": .[0-9]*,/"writer": [99999,/\' {file}.old >{file}',
            "the program that reports its state has ended",
        ),
        (
            'sed \'s/"value": "idle"/"value": "happy"/\' {file}.old >{file}',
            "its agent reports something that is not a state",
        ),
        (
            'sed \'s/"since": "202/"since": "201/\' {file}.old >{file}',
            "its state is older than its container's start",
        ),
    ],
)
def test_what_a_container_makes_of_its_state_fools_nobody(idle: Account, lie: str, reason: str) -> None:
    inside(idle, f"mv {FILE} {FILE}.old; " + lie.format(file=FILE))
    found = state(idle)
    assert found["value"] == "unknown" or not reason
    assert found["reason"] == reason or not reason
    assert idle.run("wait", "--timeout", "0", "--until", "working", "default").code == 124
    assert json.loads(idle.ok("status", "--json", "--explain"))["state"]["value"] == found["value"]


def test_no_escape_sequence_of_a_containers_reaches_a_terminal(idle: Account) -> None:
    forge(idle, reason="\x1b]0;owned\x07\x1b[2J\x9b2J\u202e")
    assert "owned" in state(idle)["reason"]
    shown = [idle.ok("status"), idle.ok("status", "--json"), idle.ok("ls", "--json"), idle.ok("ls")]
    assert not {char for text in shown for char in text if not char.isprintable()} - {"\n"}


def test_a_file_is_believed_no_longer_than_its_writer_lives(idle: Account) -> None:
    assert state(idle)["value"] == "idle"
    writer = json.loads(idle.inside("default", "cat", FILE))["writer"][0]
    inside(idle, f"kill -STOP {writer}; cp {FILE} {FILE}.old; kill -KILL {writer}; mv {FILE}.old {FILE}")
    until(lambda: state(idle)["value"] == "idle", "another writer", told=lambda: state(idle))
    assert json.loads(idle.inside("default", "cat", FILE))["writer"][0] != writer


def test_a_writer_that_died_has_a_successor_at_once_and_none_in_a_loop(idle: Account) -> None:
    script = """again() {
        old=$(pgrep -x session-state); kill -KILL $old
        until [ "$(pgrep -x session-state || echo $old)" != $old ]; do sleep 0.02; done
        cut -d' ' -f1 /proc/uptime
    }
    cut -d' ' -f1 /proc/uptime; again; again"""
    died, first, second = (float(word) for word in idle.inside("default", "sh", "-c", script).split())
    assert first - died < 15, "it is not what looks every 15 seconds that found it"
    assert second - first > 3
    until(lambda: state(idle)["value"] == "idle", "its word", told=lambda: state(idle))
    assert idle.inside("default", "pgrep", "--count", "--full", "agent/state --follow") == "1"


def test_listing_states_asks_podman_one_thing_and_starts_nothing_else(states: Account) -> None:
    done = states.run("-vv", "ls", "--json")
    assert json.loads(done.out)[0]["state"]["value"] == "idle"
    begun = [line.strip() for line in done.err.splitlines() if " ms " not in line]
    assert len(begun) == 1
    assert begun[0].startswith("podman ")
    assert " ps " in begun[0]


def test_status_says_how_it_knows(states: Account) -> None:
    explained = json.loads(states.ok("status", "--json", "--explain"))
    assert "read through /proc, without a process" in explained["explained"]["state's file"]
    assert explained["explained"]["state's writer"].endswith("lives")
    assert explained["processes"] > 5
    assert 1e6 < explained["memory"] < 1e9
    assert [event["event"] for event in explained["events"]].count("state") > 0


# changes


def test_wait_ends_with_the_change_and_not_before(states: Account) -> None:
    waits = [states.begin("wait", "--until", "working", "--timeout", TIMEOUT, "default") for _ in range(2)]
    for process in waits:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
    states.tell("default", "cat")
    try:
        for process in waits:
            assert ended(process) == (0, "default\tworking\n", "")
    finally:
        inside(states, "pkill -x cat")
        states.ok("wait", "default", "--timeout", TIMEOUT)


def test_watch_tells_each_change_and_whom_it_shall(account: Account, tmp_path: Path) -> None:
    """A session that says that it waits: a watch on it tells the desktop, a URL and a command, once."""
    posted: list[tuple[str, str]] = []

    class Heard(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(
                (self.headers["Title"], self.rfile.read(int(self.headers["Content-Length"])).decode())
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    bin_ = account.home / ".local" / "bin"
    (bin_ / "notify-send").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/desktop\n')
    (bin_ / "notify-send").chmod(0o755)
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
    with ThreadingHTTPServer(("127.0.0.1", 0), Heard) as server, (tmp_path / "out").open("w") as out:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        watch = subprocess.Popen(
            [
                LAUNCHER,
                "watch",
                "--json",
                "--notify",
                "--on",
                "waiting",
                f'echo "$AGENT_SESSION_NAME: $AGENT_SESSION_REASON" >>{tmp_path}/ran',
            ],
            env={
                **account.environment,
                "AGENT_SESSION_NOTIFY_URL": f"http://127.0.0.1:{server.server_port}/t",
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )

        def told() -> list[str]:
            lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
            return [line["state"]["value"] if line["state"] else "removed" for line in lines]

        until(lambda: told() == ["idle"], "the first state", told=told)
        forge(account, value="waiting", reason='$(id) "; id')
        until(lambda: told() == ["idle", "waiting"], "that it waits", told=told)
        inside(account, f"cp {FILE} {FILE}.new; mv {FILE}.new {FILE}")
        until(lambda: posted and (tmp_path / "ran").exists() and (tmp_path / "desktop").exists(), "all three")
        account.tell("default", "cat")
        until(lambda: told()[-1] == "working", "that it works", told=told)
        account.ok("stop")
        until(lambda: told()[-1] == "exited", "the stop", told=told)
        account.ok("rm", "-f", "--discard-work", "default")
        until(lambda: told()[-1] == "removed", "the removal", told=told)
        assert told() == ["idle", "waiting", "working", "exited", "removed"]
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=COMMAND_SECONDS)
        server.shutdown()
    assert (watch.returncode, said) == (130, "")
    assert posted == [("default waits for you", '$(id) "; id')]
    assert (tmp_path / "ran").read_text() == 'default: $(id) "; id\n'
    assert (
        tmp_path / "desktop"
    ).read_text() == '--app-name=agent-session -- default waits for you $(id) "; id\n'


def test_ten_sessions_are_waited_for_at_once_and_a_removed_one_is_not_found(account: Account) -> None:
    names = [f"s{number}" for number in range(10)]
    project = account.project()
    for name in names:
        account.ok("start", "-d", "-a", "shell", "-n", name, cwd=project)
    reached = account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, *names)
    assert sorted(reached.splitlines()) == [f"{name}\tidle" for name in names]
    assert {session["state"]["value"] for session in json.loads(account.ok("ls", "--json"))} == {"idle"}
    account.tell("s3", "cat")
    account.ok("wait", "--until", "working", "--timeout", TIMEOUT, "s3")
    rows = account.ok("ls").splitlines()[1:]
    assert [row.split()[0] for row in rows if " working " in row] == ["s3"]
    waiting = account.begin("wait", "--until", "idle", "s3")
    killed = account.begin("wait", "--until", "exited", "s4")
    account.podman("kill", "agent_s4")
    assert ended(killed) == (0, "s4\texited\n", "")
    account.podman("rm", "--force", "--time", "0", "agent_s3")
    code, out, err = ended(waiting)
    assert (code, out) == (4, "")
    assert "session 's3' not found" in err
    account.ok("restart", "-d", "s4")
    account.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "s4")


# from elsewhere


def test_cron_is_told_the_same(states: Account) -> None:
    few = {name: states.environment[name] for name in ("HOME", "XDG_RUNTIME_DIR", "CONTAINERS_STORAGE_CONF")}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{LAUNCHER} wait --timeout 20 default <&- && {LAUNCHER} ls --json <&-"],
        env={**few, "PATH": "/usr/bin:/bin"},
        cwd="/",
        text=True,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, _, listed = done.stdout.partition("\n")
    assert first == "default\tidle"
    assert json.loads(listed)[0]["state"]["source"] == "the shell's terminal"


def test_through_another_machines_podman_the_state_is_the_same(states: Account) -> None:
    socket = states.folder / "p.sock"
    service = subprocess.Popen(
        ["podman", "--log-level=error", "system", "service", "--time=0", f"unix://{socket}"],
        env=states.environment,
        stdin=subprocess.DEVNULL,
    )
    there = {"CONTAINER_HOST": f"unix://{socket}"}

    def asked(*arguments: str) -> Any:
        return json.loads(states.ok(*arguments, env=there))

    try:
        states.wait_for(socket)
        assert asked("ls", "--json")[0]["state"] == state(states)
        explained = asked("status", "--json", "--explain")
        assert "read by a command in the container" in explained["explained"]["state's file"]
        process = states.begin("wait", "--until", "working", "--timeout", TIMEOUT, "default", env=there)
        states.tell("default", "cat")
        assert ended(process)[0] == 0
        lies: tuple[tuple[str, Callable[[], object]], ...] = (
            (
                "its container did not answer",
                lambda: inside(states, f"mv {FILE} {FILE}.old; mkfifo {FILE}"),
            ),
            (
                "its state file does not hold a state",
                lambda: inside(states, f"rm {FILE}; truncate -s 20G {FILE}"),
            ),
        )
        for reason, lie in lies:
            lie()
            assert asked("ls", "--json")[0]["state"]["reason"] == reason
    finally:
        service.terminate()
        service.wait()
        inside(states, f"rm -f {FILE} {FILE}.old; pkill -x cat")
        states.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "default")
