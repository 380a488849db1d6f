"""`config show` tells what counts and where it comes from; `config init` begins a file."""

import json
from pathlib import Path

import pytest

from agent_session.config import FIELDS, Config, read_config
from agent_session.host import paths
from tests.unit.machine import Machine


def sources(machine: Machine) -> dict[str, tuple[object, str]]:
    found = json.loads(machine.ok("config", "show", "--json"))
    return {one["key"]: (one["value"], one["from"]) for one in found}


def test_each_choice_tells_where_it_comes_from(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("memory: 2g\nagent: shell\npublish: ['8080:3000']\n")
    monkeypatch.setenv("AGENT_SESSION_AGENT", "opencode")
    found = sources(machine)
    assert found.keys() == FIELDS.keys()
    assert found["memory"] == (2 << 30, str(file))
    assert found["agent"] == ("opencode", "AGENT_SESSION_AGENT")
    assert found["publish"] == (["8080:3000"], str(file))
    assert found["network"] == ("open", "default")
    table = machine.ok("config")
    assert any(line.split() == ["publish", "8080:3000", str(file)] for line in table.splitlines())


def test_a_begun_file_chooses_nothing_and_names_every_key(machine: Machine) -> None:
    file = Path(machine.ok("config", "init").strip())
    assert file == paths.config_file()
    assert read_config({}, file) == Config()
    text = file.read_text()
    for key in FIELDS:
        assert f"\n# {key}:" in text
    uncommented = "\n".join(line[2:] for line in text.splitlines() if line[2:].partition(":")[0] in FIELDS)
    file.write_text(uncommented)
    assert read_config({}, file) == Config()


def test_a_file_that_is_there_is_never_written_over(machine: Machine) -> None:
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("agent: shell\n")
    ran = machine("config", "init")
    assert (ran.code, "there already" in ran.err) == (5, True)
    assert file.read_text() == "agent: shell\n"
    assert machine("config", "nonsense").code == 2
