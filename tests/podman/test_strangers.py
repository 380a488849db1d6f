"""What others do beside us: containers of the same name, containers removed behind our back, other users."""

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman


def test_a_container_that_is_not_ours_is_neither_listed_nor_touched(account: Account, shell: str) -> None:
    account.podman("create", "--name", "agent_taken", shell)
    assert account.sessions() == {}
    for command in (
        ("start", "-d", "-a", "shell", "-n", "taken"),
        ("stop", "taken"),
        ("restart", "taken"),
        ("rm", "-f", "taken"),
    ):
        done = account.run(*command, cwd=account.project())
        assert (done.code, done.out) == (5, ""), command
        assert "agent_taken" in done.err
    assert account.containers() == ["agent_taken"]
    assert account.volumes() == []


def test_a_session_removed_behind_our_back_is_gone_and_its_home_is_found_again(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.inside("default", "sh", "-c", "echo remembered > ~/notes")
    account.podman("rm", "--force", "--time", "0", "agent_default")
    assert account.sessions() == {}
    assert account.run("stop").code == 4
    account.ok("start", "-d", "-a", "shell", cwd=project)
    assert account.inside("default", "cat", "/home/agent/notes") == "remembered"
    account.podman("rm", "--force", "--time", "0", "agent_default")
    account.ok("rm", "-f", "default")
    assert account.volumes() == []


def test_a_session_stopped_or_started_by_podman_itself_is_told_as_it_is(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.podman("stop", "agent_default")
    assert account.sessions() == {"default": "stopped"}
    account.ok("start", "-d", "-n", "default")
    account.podman("kill", "agent_default")
    account.ok("start", "-d", "-n", "default")
    assert account.sessions() == {"default": "running"}
    assert "agent@" in account.screen()


def test_a_session_of_another_user_is_invisible_and_its_name_is_free(
    account: Account, other_account: Account
) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project("mine"))
    assert other_account.sessions() == {}
    assert other_account.run("stop").code == 4
    other_account.ok("start", "-d", "-a", "shell", cwd=other_account.project("theirs"))
    assert account.inside("default", "ls", "/workspace") == "mine"
    assert other_account.inside("default", "ls", "/workspace") == "theirs"
    other_account.ok("stop", "--all")
    assert account.sessions() == {"default": "running"}


def test_a_project_that_has_been_removed_is_explained(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.ok("stop")
    project.rename(project.with_name("elsewhere"))
    done = account.run("restart", "-d")
    assert done.code == 7
    assert str(project) in done.err
    assert account.sessions() == {"default": "stopped"}
