"""Forks and new names with Podman: what a session holds is in the second one, and the first is as it was."""

import json

from tests.account import Account
from tests.host_git import Host


def test_a_fork_has_all_of_a_session_and_a_renamed_one_too(account: Account, host: Host) -> None:
    project = account.project(note="here")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "first")):
        host.git(project, *words)
    account.ok("start", "-d", "-a", "shell", "-n", "web", "--clone", project)
    account.inside("web", "sh", "-c", "echo kept >~/talk; ln -s talk ~/link; mkfifo ~/pipe")
    account.inside("web", "sh", "-c", "cd /workspace/app && echo more >>note && echo new >untracked")
    identity = account.inspect("web")["Id"]

    assert account.ok("fork", "web", "two") == "two\n"
    assert account.sessions() == {"web": "running", "two": "running"}
    assert account.inspect("web")["Id"] == identity
    for name in ("web", "two"):
        assert account.inside(name, "sh", "-c", "cat ~/link") == "kept"
        said = account.inside(name, "git", "-C", "/workspace/app", "status", "--short", "--branch")
        assert said.splitlines() == [f"## agent/{name}", " M note", "?? untracked"]
    commit = "git -c user.name=a -c user.email=a@b commit -qam second"
    account.inside("two", "sh", "-c", f"cd /workspace/app && {commit} && rm ~/talk")
    assert (
        account.inside("web", "sh", "-c", "cat ~/talk; git -C /workspace/app log --oneline | wc -l")
        == "kept\n1"
    )
    account.ok("fetch", "two", cwd=project)

    account.ok("stop", "web")
    account.ok("rename", "web", "three")
    assert account.sessions() == {"three": "stopped", "two": "running"}
    account.ok("start", "-d", "-n", "three")
    assert account.inside("three", "sh", "-c", "cat ~/talk; cat /workspace/app/untracked") == "kept\nnew"
    found = {one["name"]: one for one in json.loads(account.ok("ls", "--json"))}
    assert found["three"]["projects"][0]["clone"]["branch"] == "agent/three"
    account.ok("stop", "two", "three")
