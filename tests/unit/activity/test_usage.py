"""Tokens, costs and tools as agents write them down, and as `usage`, `audit` and `ls --wide` tell them."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_session import inside
from agent_session.activity import usage, usage_program
from agent_session.engine.command import ExecResult, OneOff
from tests.unit.machine import Machine


def counted(home: Path) -> usage.Usage:
    """What the program that runs in a session says of a home."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", Path(usage_program.__file__).read_text()],
        env={"AGENT_SESSION_USAGE_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    return usage.parse(done.stdout)


def answer(identity: str, tokens: int, *tools: str) -> dict[str, Any]:
    return {
        "type": "assistant",
        "timestamp": "2026-11-28T10:00:00.000Z",
        "message": {
            "id": identity,
            "model": "claude-x",
            "usage": {"input_tokens": 1, "output_tokens": tokens, "cache_read_input_tokens": 100},
            "content": [{"type": "tool_use", "name": name, "input": {}} for name in tools],
        },
    }


def test_transcripts_are_counted_and_an_answer_once(tmp_path: Path) -> None:
    folder = tmp_path / ".claude/projects/-workspace-app"
    folder.mkdir(parents=True)
    lines = [answer("a", 5), answer("a", 7, "Bash"), answer("b", 10, "Edit"), {"usage": 3}, ["usage"]]
    (folder / "one.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"usage": \n')
    found = counted(tmp_path)
    (model,) = found.models
    assert (model.model, model.answers, model.input, model.output) == ("claude-x", 2, 2, 17)
    assert (model.cache_read, model.cost) == (200, None)
    assert [one.name for one in found.tools] == ["Bash", "Edit"]
    assert (found.tokens, found.cost) == (219, None)


MESSAGE = {
    "role": "assistant",
    "providerID": "anthropic",
    "modelID": "x",
    "cost": 0.25,
    "tokens": {"input": 10, "output": 5, "reasoning": 1, "cache": {"read": 2, "write": 3}},
}


def test_messages_are_counted_from_files_and_from_a_database(tmp_path: Path) -> None:
    top = tmp_path / ".local/share/opencode"
    (top / "storage/message/s").mkdir(parents=True)
    (top / "storage/message/s/m1.json").write_text(json.dumps(MESSAGE))
    (top / "storage/message/s/m2.json").write_text(json.dumps({"role": "user"}))
    with sqlite3.connect(top / "opencode.db") as opened:
        opened.execute("create table message (id text, session_id text, data text)")
        opened.execute("create table part (id text, message_id text, data text)")
        opened.execute("insert into message values ('m', 's', ?)", [json.dumps(MESSAGE)])
        tool = {"type": "tool", "tool": "bash", "state": {"time": {"start": 1764324000000}}}
        opened.execute("insert into part values ('p', 'm', ?)", [json.dumps(tool)])
    found = counted(tmp_path)
    (model,) = found.models
    assert (model.model, model.answers, model.input, model.output) == ("anthropic/x", 2, 20, 12)
    assert (model.cache_read, model.cache_write, model.cost) == (4, 6, 0.5)
    assert [one.name for one in found.tools] == ["bash"]


def test_a_home_without_records_has_used_nothing(tmp_path: Path) -> None:
    assert counted(tmp_path) == usage.Usage()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"{}",
        b'{"models": 3, "tools": []}',
        b'{"models": {"x": {"input": -1}}, "tools": [3, ["a", 1]]}',
    ],
)
def test_nonsense_counts_nothing(said: bytes) -> None:
    assert usage.parse(said) == usage.Usage()


SAID = {
    "models": {
        "claude-x\x1b[1m": {
            "answers": 2, "input": 1000, "output": 500, "cache_read": 0, "cache_write": 0, "cost": 0.5,
        }
    },
    "tools": [["2099-11-28T10:00:00Z", "Bash\x1b[1m"]],
}  # fmt: skip


def commands(_name: str, command: Sequence[str], _stdin: bytes) -> ExecResult:
    told = json.dumps(SAID).encode() if command[0] == inside.PYTHON else b""
    return ExecResult(exit_code=0, stdout=told)


def one_off(wanted: OneOff, stdin: bytes) -> ExecResult:
    assert [one.read_only for one in wanted.mounts] == [True]
    return commands("", wanted.command, stdin)


def test_usage_is_told_of_running_and_stopped_sessions(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.engine.commands, machine.engine.one_offs = commands, one_off
    table = machine.ok("usage", "web")
    assert "$0.5000" in table
    assert "\x1b" not in table
    assert "1,500" in machine.ok("ls", "--wide")
    machine.ok("stop", "web")
    found = json.loads(machine.ok("usage", "web", "--json"))
    assert (found["tokens"], found["cost"], found["tools"]) == (1500, 0.5, 1)
    assert "1,500" not in machine.ok("ls", "--wide")


def test_a_session_without_records_says_so(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    assert "no agent has written down" in machine("usage", "web").err


def test_the_trail_has_how_it_was_made_and_what_was_used(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web", "--memory", "1g")
    machine.engine.commands = commands
    told = machine.ok("audit", "web")
    assert f"session made: shell in {machine.project} with --memory 1g" in told
    assert "agent used Bash" in told
    assert "\x1b" not in told
    kinds = [json.loads(line)["event"] for line in machine.ok("audit", "web", "--json").splitlines()]
    assert (kinds[0], kinds[-1]) == ("made", "tool")
