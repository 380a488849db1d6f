"""In `--protect review`, the default: what an agent plants for git does not run, and the rest is told."""

from pathlib import Path

import pytest

from agent_session import inside
from agent_session.workspace import scan
from agent_session.workspace.projects import Project
from tests.host_git import Host
from tests.security import attacks

pytestmark = pytest.mark.podman
PLANTED = (".envrc", ".vscode/tasks.json", ".mcp.json", ".claude/settings.json", "mise.toml", ".hg/hgrc")
ATTEMPTS = r"""
ran=$1; shift
cd /workspace/app
for key in core.fsmonitor core.pager core.sshCommand diff.external; do
    git config $key "touch $ran"
    /usr/bin/git config --file .git/config $key "touch $ran"
    for git in .git/config .git/config.worktree .git/modules/sub/config; do
        printf '[core]\n\tfsmonitor = touch %s\n' "$ran" >evil
        cp -f evil $git; ln -sf "$PWD/evil" $git; mv -f evil $git
    done
done
git init -q --separate-git-dir=/tmp/moved
mv .git moved; mkdir .git
printf '#!/bin/sh\ntouch %s\n' "$ran" >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit
for path in "$@"; do mkdir -p "$(dirname "$path")"; echo evil >"$path"; done
exit 0
"""


def test_git_runs_nothing_that_was_planted_and_the_rest_is_told(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.repository(app.parent / "library")
    host.git(app, "submodule", "--quiet", "add", "../library", "sub")
    host.git(app, "commit", "--quiet", "-am", "two")
    guarded = scan.protect([Project(source=app, target=inside.WORKSPACE / "app")], mode="review")
    held = [Path(mount.source) for mount in guarded.mounts if mount.read_only and mount.source]
    before = {path: path.read_bytes() for path in held if path.is_file()}
    assert app / ".git" / "config" in before
    assert app / ".git" / "modules" / "sub" / "config" in before
    host.account.ok("start", "-d", "-a", "shell", "-n", "evil", app)
    ran = host.account.home / "RAN"
    done = attacks.run(host.account, ["sh", "-c", ATTEMPTS, "attempts", str(ran), *PLANTED], session="evil")
    assert done.code == 0, done
    assert {path: path.read_bytes() for path in before} == before
    assert not list((app / ".git" / "hooks").glob("pre-commit"))
    for moment in ("while it runs", "after it has stopped"):
        for directory in (app, app / "sub"):
            host.git(directory, "status")
            host.git(directory, "commit", "--quiet", "--allow-empty", "-m", moment)
            host.git(directory, "fetch", "--quiet", "--all")
        assert not ran.exists(), moment
        told = host.account.ok("review", "evil")
        assert [path for path in PLANTED if path not in told] == []
        if moment == "while it runs":
            host.account.ok("stop", "evil")
