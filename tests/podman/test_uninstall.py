"""Uninstall on a real machine: what was made is gone, and what is printed tells the rest."""

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman


def test_what_was_built_and_stored_is_gone(account: Account) -> None:
    account.agent("mine")
    image = account.ok("build", "mine").strip()
    account.run("login", "claude", "--token-stdin", stdin="sk-ant-oat01-x-y-z\n")
    account.ok("start", "-d", "-a", "mine", "-n", "web", account.project("webapp"))
    assert account.run("uninstall", "-f").code == 5
    assert account.sessions() == {"web": "running"}
    account.podman("rm", "--force", "agent_web")
    done = account.run("uninstall", "-f")
    assert (done.code, "hint: agent-session rm web\n" in done.err) == (5, True)
    assert "agent_web_home" in account.ok("doctor")
    account.ok("rm", "-f", "--discard-work", "web")
    done = account.run("uninstall", "-f")
    assert done.code == 0, done.err
    assert image not in account.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert account.podman("secret", "ls", "-q") == ""
    assert not (account.runtime / "agent-session").exists()
    assert not (account.home / ".local/state/agent-session").exists()
    own = account.agents
    assert f"rm -r {own}  # stays: your settings and agents" in done.out
    assert "# stays: the program" in done.out
    assert (account.home / "projects" / "webapp").is_dir()
