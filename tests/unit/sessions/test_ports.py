"""The ports that a session publishes, what listens in it, and forwards; on an engine in memory."""

import json
import socket
from collections.abc import Iterator, Sequence

import pytest

from agent_session import inside
from agent_session.engine import published
from agent_session.engine.command import ExecResult
from agent_session.engine.published import Published
from tests.unit.machine import Machine


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of this machine on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("text", "written"),
    [("3000", "3000:3000"), ("8080:3000", "8080:3000"), (" 080:03000 ", "80:3000"), ("none", "none")],
)
def test_a_port_is_read_as_it_is_for_podman(text: str, written: str) -> None:
    assert published.read(text) == written


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "a", "1:2:3", "0.0.0.0:1:2", "-1", "3000/udp", ":3000", "1:"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid port to publish"):
        published.read(text)


def test_a_published_port_stays_with_the_session(machine: Machine, free: int) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web", "-p", f"{free}:3000", "-p", f"{free + 1}")
    wanted = (Published(free, 3000), Published(free + 1, free + 1))
    assert machine.engine.specification("agent_web").published == wanted
    machine.ok("restart", "-d", "web")
    machine.ok("stop", "web")
    machine.ok("start", "-d", "-n", "web")
    assert machine.engine.specification("agent_web").published == wanted
    (session,) = machine.listed()
    assert session["publish"] == [{"host": one.host, "port": one.inside} for one in wanted]
    assert session["host_url"] is None
    assert f"port {free}" in machine.ok("ls")
    assert f"127.0.0.1:{free} leads to 3000" in machine.ok("status", "web")


def test_none_publishes_nothing_any_more(machine: Machine, free: int) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web", "-p", f"{free}:3000")
    ran = machine("start", "-d", "-n", "web", "-p", "none")
    assert ran.code == 5
    assert "--publish none takes effect at its next start" in ran.err
    machine.ok("stop", "web")
    machine.ok("start", "-d", "-n", "web", "-p", "none")
    assert machine.listed()[0]["publish"] == []


def test_a_port_of_a_running_session_waits_for_its_next_start(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    ran = machine("start", "-d", "-n", "web", "-p", "3000")
    assert ran.code == 5
    assert "agent-session start -n web --publish 3000:3000" in ran.err


def test_a_taken_port_is_told_before_anything_is_made(machine: Machine, taken: int) -> None:
    ran = machine("start", "-d", "-a", "shell", "-n", "web", "-p", f"{taken}:3000")
    assert ran.code == 5
    assert f"port {taken} of this machine is taken" in ran.err
    assert ":3000" in ran.err.partition("hint:")[2]
    assert machine.engine.containers("") == []
    assert machine.engine.volumes("") == {}


def test_a_taken_port_is_told_at_a_later_start_too(machine: Machine, free: int) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web", "-p", f"{free}:3000")
    machine.ok("stop", "web")
    with socket.create_server(("127.0.0.1", free)):
        assert machine("start", "-d", "-n", "web").code == 5
        assert machine.status("web") == "stopped"


def test_a_port_that_only_root_may_have_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent_session.sessions import endpoint

    monkeypatch.setattr(endpoint, "busy", lambda _port: endpoint.ROOTS)
    ran = machine("start", "-d", "-a", "shell", "-n", "web", "-p", "80")
    assert "port 80 of this machine is for root alone" in ran.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-p", "3000", "-p", "3001:3000"], "port 3000 of the session is published twice"),
        (["-p", "3000:1", "-p", "3000:2"], "port 3000 of this machine is published twice"),
        (["-p", "3000", "--network", "none"], "contradict"),
        (["-p", "x"], "is not a valid port"),
    ],
)
def test_ports_that_cannot_be_are_refused(machine: Machine, words: list[str], why: str) -> None:
    ran = machine("start", "-d", "-a", "shell", "-n", "web", *words)
    assert ran.code == 2
    assert why in ran.err
    assert machine.engine.containers("") == []


def test_the_port_of_an_agents_own_server_is_refused(machine: Machine) -> None:
    (machine.folder / "opencode" / "agent.yaml").write_text("title: OpenCode\nserver: {port: 4096}\n")
    ran = machine("start", "-d", "-a", "opencode", "-n", "oc", "-p", "9000:4096")
    assert ran.code == 2
    assert "OpenCode's own server" in ran.err


def test_ports_come_from_the_environment_and_the_file(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setenv("AGENT_SESSION_PUBLISH", f"{free}:1, {free + 1}:2")
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    assert machine.engine.specification("agent_web").published == (Published(free, 1), Published(free + 1, 2))
    monkeypatch.setenv("AGENT_SESSION_PUBLISH", "8080-3000")
    assert machine("start", "-d", "-a", "shell", "-n", "other").code == 3


def test_a_session_without_a_network_is_told_by_ls(machine: Machine) -> None:
    (machine.folder / "opencode" / "agent.yaml").write_text("title: OpenCode\nserver: {port: 4096}\n")
    machine.ok("start", "-d", "-a", "opencode", "-n", "oc", "--network", "none")
    made = machine.engine.specification("agent_oc")
    assert (made.offline, made.network, made.ports) == (True, "", ())
    assert "network none" in machine.ok("ls")
    assert machine.listed()[0]["network"] == "none"


def listing(told: object) -> Machine | object:
    def commands(_name: str, command: Sequence[str], _stdin: bytes) -> ExecResult:
        if command[0] == inside.PYTHON:
            assert command[-1] == "list"
            return ExecResult(exit_code=0, stdout=json.dumps(told).encode())
        return ExecResult(exit_code=0)

    return commands


def test_ports_lists_what_listens_and_how_it_is_reached(machine: Machine, free: int) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web", "-p", f"{free}:3000", "-p", f"{free + 1}:9")
    there = [
        {"port": 3000, "program": "node\x1b[31m", "loopback": True},
        {"port": 5432, "program": "", "loopback": False},
        {"port": "x"},
        7,
        {"port": 70000, "program": "no"},
    ]
    machine.engine.commands = listing(there)  # type: ignore[assignment]
    told = machine.ok("ports", "web")
    assert "agent-session ports web --publish 5432" in told
    assert f"127.0.0.1:{free}, unless it listens on 127.0.0.1 alone" in told
    assert f"127.0.0.1:{free + 1}, where nothing listens yet" in told
    assert "\x1b" not in told
    shape = json.loads(machine.ok("ports", "web", "--json"))
    assert [one["port"] for one in shape["listening"]] == [3000, 5432]
    assert shape["publish"][0] == {"host": free, "port": 3000}


def test_a_session_that_tells_nonsense_has_no_ports(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.engine.commands = listing({"no": "list"})  # type: ignore[assignment]
    ran = machine("ports", "web")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing listens in 'web'" in ran.err


def test_a_forward_from_a_taken_port_is_refused_with_another(machine: Machine, taken: int) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    ran = machine("ports", "web", "--publish", f"{taken}:3000")
    assert ran.code == 5
    assert "agent-session ports web --publish" in ran.err
    assert machine("ports", "web", "--publish", "3000", "--json").code == 2


def test_a_stopped_session_has_no_ports_to_list(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.ok("stop", "web")
    assert machine("ports", "web").code == 5
