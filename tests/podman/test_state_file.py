"""What a session's own programs write down of its state, inside the container."""

import json
from typing import Any

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.podman


def state(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(account.inside("default", "cat", "/run/agent-session/state"))
    return found


def seen(account: Account, value: str) -> dict[str, Any]:
    """The state, as soon as it is that."""
    until(lambda: state(account)["state"]["value"] == value, f"the state {value}")
    found: dict[str, Any] = state(account)["state"]
    return found


def test_a_shell_works_while_a_program_is_in_front_and_what_tells_so_comes_back(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    begun = seen(account, "idle")["since"]
    account.tell("default", "cat")
    working = seen(account, "working")
    assert working["reason"] == "cat"
    assert working["since"] > begun
    account.podman("exec", "agent_default", "pkill", "cat")
    assert seen(account, "idle")["since"] > working["since"]
    account.podman("exec", "agent_default", "pkill", "-f", "agent/state --follow")
    until(
        lambda: account.podman_done("exec", "agent_default", "pgrep", "-f", "agent/state --follow").code == 0,
        "the program that follows the state, again",
    )
    assert seen(account, "idle")
    assert "agent is working: cat" in account.ok("logs", "default")
    refused = account.podman_done("exec", "agent_default", "/usr/lib/agent-session/agent-command", "prompt")
    assert refused.code == 1
    assert json.loads(refused.out)["error"] == {
        "kind": "refused",
        "message": "the agent shell has no `prompt` command",
    }
