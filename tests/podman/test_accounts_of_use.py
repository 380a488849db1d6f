"""What a session of Podman has used: tokens from its agent's records, and the disk."""

import json

from tests.account import Account

LINE = (
    '{"type":"assistant","timestamp":"2026-11-28T10:00:00.000Z","message":{"id":"a","model":"m",'
    '"usage":{"input_tokens":1000,"output_tokens":5},"content":[{"type":"tool_use","name":"Bash"}]}}'
)


def test_tokens_and_disk_of_a_session_are_told_running_and_stopped(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "web", cwd=account.project())
    folder = "~/.claude/projects/-workspace-app"
    account.inside("web", "sh", "-c", f"mkdir -p {folder}; echo '{LINE}' >{folder}/a.jsonl")
    account.inside("web", "sh", "-c", "mkdir -p ~/.cache; head -c 3000000 /dev/zero >~/.cache/big")
    assert json.loads(account.ok("usage", "web", "--json"))["tokens"] == 1005
    assert "1,005" in account.ok("ls", "--wide")
    account.ok("note", "web", "waits")
    (session,) = json.loads(account.ok("df", "--json"))["sessions"]
    assert session["caches"] >= 3_000_000
    assert session["home"] >= session["caches"]
    assert "caches of web" not in account.ok("prune", "--yes", "--caches")
    account.ok("stop", "web")
    assert json.loads(account.ok("usage", "web", "--json"))["tokens"] == 1005
    assert "agent used Bash" in account.ok("audit", "web")
    assert "caches of web" in account.ok("prune", "--yes", "--caches")
    assert json.loads(account.ok("df", "--json"))["sessions"][0]["caches"] == 0
