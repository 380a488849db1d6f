"""Whose files they are, what stays and what goes."""

import os
from pathlib import Path

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman


def test_files_belong_to_the_user_on_both_sides(account: Account) -> None:
    project = account.project(outside="made outside")
    account.ok("start", "-d", "-a", "shell", cwd=project)
    assert (
        account.inside("default", "stat", "-c", "%U", "/workspace/app/outside", "/workspace/app")
        == "agent\nagent"
    )
    account.inside(
        "default", "sh", "-c", "mkdir deep && echo made inside > deep/file && echo more >> outside"
    )
    made = project / "deep" / "file"
    assert (made.read_text(), made.stat().st_uid, made.stat().st_gid) == (
        "made inside\n",
        os.getuid(),
        os.getgid(),
    )
    assert (project / "outside").read_text() == "made outsidemore\n"


def test_the_home_survives_a_stop_and_goes_with_the_session_but_the_project_stays(account: Account) -> None:
    project = account.project(precious="mine")
    account.ok("start", "-d", "-a", "shell", cwd=project)
    labels = account.podman("volume", "inspect", "--format", "{{json .Labels}}", "agent_default_home")
    assert '"agent-session.name":"default"' in labels
    account.inside("default", "sh", "-c", "echo remembered > ~/notes; echo work > /workspace/app/work")
    account.ok("stop")
    assert account.ok("restart", "-d") == "default\n"
    assert account.inside("default", "cat", "/home/agent/notes") == "remembered"
    account.ok("stop")
    account.ok("rm", "-f", "default")
    assert account.containers() == []
    assert account.volumes() == []
    assert {path.name: path.read_text() for path in project.iterdir()} == {
        "precious": "mine",
        "work": "work\n",
    }
    account.ok("start", "-d", "-a", "shell", cwd=project)
    assert account.podman_done("exec", "agent_default", "cat", "/home/agent/notes").code != 0, (
        "a new session begins anew"
    )


def test_mounts_are_read_only_and_kob_is_writable_at_the_same_paths_as_on_the_host(account: Account) -> None:
    reference, fonts, kob = (
        account.home / "shared" / name for name in ("reference", "with: colon's sibling", "kob")
    )
    for folder in (reference, fonts, kob):
        folder.mkdir(parents=True)
        (folder / "file").write_text(f"of {folder.name}\n")
    project = account.project()
    (project / "link").symlink_to(kob / "file")
    account.ok(
        "start",
        "-d",
        "-a",
        "shell",
        cwd=project,
        env={"AGENT_SESSION_MOUNTS": str(reference), "AGENT_SESSION_KOB": str(kob)},
    )
    assert (
        account.inside("default", "cat", str(reference / "file"), "/workspace/app/link")
        == "of reference\nof kob"
    )
    assert account.podman_done("exec", "agent_default", "touch", str(reference / "new")).code != 0
    account.inside("default", "sh", "-c", "echo changed > /workspace/app/link")
    assert (kob / "file").read_text() == "changed\n"
    assert (project / "link").is_symlink()


def test_several_mounts_are_a_colon_list(account: Account) -> None:
    folders = [account.home / "shared" / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)
    account.ok(
        "start",
        "-d",
        "-a",
        "shell",
        cwd=account.project(),
        env={"AGENT_SESSION_MOUNTS": ":".join(map(str, folders))},
    )
    account.inside("default", "ls", *map(str, folders))


def test_two_projects_of_one_name_get_in_and_a_read_only_one_stays_as_it_is(account: Account) -> None:
    one, two = (account.home / place / "api" for place in ("client", "server"))
    for project in (one, two):
        project.mkdir(parents=True)
        (project / "whose").write_text(project.parent.name)
    account.ok("start", "-d", "-a", "shell", one, f"{two}:ro")
    assert (
        account.inside("default", "cat", "/workspace/client-api/whose", "/workspace/server-api/whose")
        == "clientserver"
    )
    account.inside("default", "touch", "/workspace/client-api/new")
    for words in (["touch", "new"], ["rm", "whose"], ["chmod", "777", "whose"], ["mkdir", ".vscode"]):
        done = account.run("exec", "default", "--", *words[:-1], f"/workspace/server-api/{words[-1]}")
        assert "Read-only file system" in done.err
    assert account.run("cp", one / "new", "default:/workspace/server-api").code != 0
    account.ok("stop", "default")
    assert account.run("cp", one / "new", "default:/workspace/server-api").code != 0
    assert [path.name for path in two.iterdir()] == ["whose"]


@pytest.mark.parametrize(
    "name",
    ["with space", "colon:s", "comma,s", "größe", 'quote\'s "double"', "back\\slash", "$HOME", "-dash"],
)
def test_any_directory_name_is_mounted_or_refused_with_a_reason(account: Account, name: str) -> None:
    project = account.project(name)
    done = account.run("start", "-d", "-a", "shell", cwd=project)
    if done.code == 0:
        account.podman("exec", "--workdir", f"/workspace/{name}", "agent_default", "touch", "made")
        assert (project / "made").exists()
    else:
        assert done.code == 2
        assert "cannot use" in done.err
        assert account.containers() == []


def test_a_symlinked_project_is_mounted_under_its_real_name(account: Account) -> None:
    project = account.project("real")
    link = account.home / "link"
    link.symlink_to(project)
    account.ok("start", "-d", "-a", "shell", link)
    account.inside("default", "touch", "/workspace/real/made")
    assert (project / "made").exists()


def test_directories_that_hold_everything_are_refused(account: Account) -> None:
    (account.home / ".ssh").mkdir()
    for path in (
        Path("/"),
        account.home,
        account.home.parent,
        account.home / ".ssh",
        account.home / "missing",
        account.home / ".bashrc",
    ):
        done = account.run("start", "-d", "-a", "shell", path)
        assert (done.code, done.out) == (2, ""), path
        assert "cannot use" in done.err
        assert "hint: " in done.err
    assert not account.storage.exists() or account.containers() == []
