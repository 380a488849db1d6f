"""Sessions whose agent is a server: where it is reached, by whom, and by what password;
on an engine in memory.
"""

import json
import socket
from typing import Any

import pytest

from agent_session.engine.command import ExecResult
from agent_session.errors import EngineRefused
from agent_session.sessions.names import NETWORK
from tests.fake_engine import FakeEngine
from tests.unit.machine import Machine

PASSWORD = "x" * 32


@pytest.fixture
def serving(machine: Machine) -> Machine:
    """A machine whose OpenCode is a server, with the session "oc"."""
    (machine.folder / "opencode" / "agent.yaml").write_text("title: OpenCode\nserver: {port: 4096}\n")
    machine.ok("start", "-d", "-a", "opencode", "-n", "oc")
    return machine


def told(machine: Machine, name: str = "oc") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.ok("status", name, "--json", "--secrets"))
    return found


def test_a_session_with_a_server_has_an_address_for_containers_and_one_for_this_machine(
    serving: Machine,
) -> None:
    (session,) = serving.listed()
    assert session["base_url"] == "http://agent_oc:4096"
    assert str(session["host_url"]).startswith("http://127.0.0.1:")
    serving.ok("stop", "oc")
    assert serving.listed()[0]["host_url"] is None
    serving.ok("start", "-d", "-n", "oc")
    assert serving.listed()[0]["host_url"] == session["host_url"]


def test_a_session_without_a_server_has_no_address(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "sh")
    assert told(machine, "sh").items() >= {"base_url": None, "host_url": None, "secrets": {}}.items()


def test_its_container_is_called_so_on_the_network_even_while_it_replaces_another(serving: Machine) -> None:
    (serving.folder / "opencode" / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN more\n")
    serving.ok("update", "--build", "oc")
    assert serving.listed()[0]["base_url"] == "http://agent_oc:4096"
    container = serving.engine.container("agent_oc")
    assert container
    assert container.networks == (NETWORK,)


def test_a_session_from_before_its_agent_was_a_server_becomes_one_with_its_next_image(
    machine: Machine,
) -> None:
    machine.ok("start", "-d", "-a", "opencode", "-n", "oc")
    assert machine.listed()[0]["host_url"] is None
    (machine.folder / "opencode" / "agent.yaml").write_text("title: OpenCode\nserver: {port: 4096}\n")
    (machine.folder / "opencode" / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN serve\n")
    machine.ok("update", "--build", "oc")
    assert machine.listed()[0]["host_url"]


def test_a_machine_without_such_a_network_starts_it_all_the_same_and_says_so(serving: Machine) -> None:
    serving.ok("stop", "oc")
    serving.ok("rm", "--force", "oc")
    serving.engine.remove_network(NETWORK)
    serving.engine.names = False
    ran = serving("start", "-d", "-a", "opencode", "-n", "oc")
    assert ran.code == 0
    assert "aardvark-dns" in ran.err
    session = serving.listed()[0]
    assert session["base_url"] is None
    assert session["host_url"]


def test_a_network_that_does_not_come_up_is_done_without(
    serving: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = FakeEngine.start

    def failing(engine: FakeEngine, name: str) -> None:
        container = engine.container(name)
        if container and container.networks:
            raise EngineRefused(f"starting {name}: netavark: iptables: No such file or directory")
        start(engine, name)

    monkeypatch.setattr(FakeEngine, "start", failing)
    ran = serving("start", "-d", "-a", "opencode", "-n", "two")
    assert ran.code == 0
    assert "iptables" in ran.err
    assert {s["name"]: s["base_url"] for s in serving.listed()}["two"] is None


def test_a_port_that_another_program_took_meanwhile_is_replaced_by_another(serving: Machine) -> None:
    before = serving.listed()[0]["host_url"]
    serving.ok("stop", "oc")
    with socket.create_server(("127.0.0.1", int(str(before).rpartition(":")[2]))):
        serving.ok("start", "-d", "-n", "oc")
    after = serving.listed()[0]["host_url"]
    assert after
    assert after != before


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"short\n",
        b"\x1b[2J" + b"x" * 40,
        b"x" * 1000,
        b"two lines of it\nand another one\n",
        b"x" * 32 + b"\n\n",
    ],
    ids=repr,
)
def test_what_is_no_password_is_not_told_as_one(serving: Machine, said: bytes) -> None:
    serving.trouble.append(ExecResult(exit_code=0, stdout=said))
    assert told(serving)["secrets"] == {}


def test_the_password_is_told_to_who_asks_for_secrets_and_while_it_runs(serving: Machine) -> None:
    serving.trouble.append(ExecResult(exit_code=0, stdout=f"{PASSWORD}\n".encode()))
    assert told(serving)["secrets"] == {"server_password": PASSWORD}
    assert PASSWORD not in serving.ok("status", "oc", "--json") + serving.ok("status", "oc") + serving.ok(
        "ls", "--json"
    )
    serving.trouble.clear()
    serving.ok("stop", "oc")
    assert told(serving)["secrets"] == {}
