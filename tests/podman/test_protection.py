"""What an agent writes into a project does not run on the host, and work goes on inside all the same."""

import json
import os
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

from agent_session import inside
from agent_session.workspace import scan
from agent_session.workspace.projects import Project
from tests.host_git import Host
from tests.security import attacks
from tests.waiting import until

pytestmark = pytest.mark.podman

COMPLAINTS = re.compile(
    r"error|warning|fatal|busy|denied|read-only|cannot|unable|failed|not permitted", re.IGNORECASE
)


def tree(top: Path) -> dict[str, str]:
    """All paths below a directory, with what a file says and where a link leads;
    without what git rewrites by itself.
    """
    found = {}
    for directory, names, files in os.walk(top):
        for name in [*names, *files]:
            path = Path(directory, name)
            said = (
                str(path.readlink())
                if path.is_symlink()
                else path.read_text(errors="replace")
                if path.is_file()
                else "/"
            )
            found[str(path.relative_to(top))] = "" if name == "index" else said
    return found


BY_GIT = r"""
evil=$1
for repository in /workspace/app /workspace/app/sub /workspace/app/nested /workspace/app/deep/er/nested; do
    cd "$repository" || continue
    /usr/bin/git config core.fsmonitor "$evil/hook"
    /usr/bin/git config --worktree core.fsmonitor "$evil/hook"
    /usr/bin/git config extensions.worktreeConfig true
    /usr/bin/git worktree prune
    git config core.fsmonitor "$evil/hook"
    git config core.hooksPath "$evil"
    git worktree prune
done
exit 0
"""


def test_nothing_an_attacker_plants_is_there_or_runs(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.repository(app.parent / "library")
    host.git(app, "submodule", "--quiet", "add", "../library", "sub")
    for file in (
        ".claude/settings.json",
        ".vscode/tasks.json",
        ".envrc",
        ".mcp.json",
        ".githooks/pre-push",
        "tools/clean.sh",
        "shared.gitconfig",
    ):
        (app / file).parent.mkdir(exist_ok=True)
        (app / file).write_text("")
    for key, value in (
        ("core.hooksPath", ".githooks"),
        ("filter.x.clean", "sh tools/clean.sh %f"),
        ("include.path", "../shared.gitconfig"),
    ):
        host.git(app, "config", key, value)
    host.git(app, "add", "-A")
    host.git(app, "commit", "--quiet", "-m", "two")
    for nested in ("nested", "deep/er/nested"):
        host.repository(app / nested)
    host.git(app, "clone", "--quiet", "--bare", ".", "bare.git")
    host.git(app, "worktree", "add", "--quiet", "../elsewhere")
    (app / ".git" / "hooks" / "post-merge").write_text("#!/bin/sh\n")

    guarded = scan.protect([Project(source=app, target=inside.WORKSPACE / "app")], mode="strict")
    targets = [str(mount.target) for mount in guarded.mounts if mount.read_only]
    sources = [Path(mount.source) for mount in guarded.mounts if mount.read_only and mount.source]
    before = tree(app)
    held = {
        path: tree(path) if path.is_dir() else path.read_text()
        for path in sources
        # Parts of these are writable, and others of these paths.
        if path.exists() and path.name not in {"modules", "worktrees"} and path.suffix != ".git"
    }
    ran = host.account.home / "RAN"
    assert {
        "/workspace/app/.git/modules/sub/config",
        "/workspace/app/deep/er/nested/.vscode",
        "/workspace/app/bare.git",
    } <= set(targets)
    assert {
        "/workspace/app/.githooks",
        "/workspace/app/tools/clean.sh",
        "/workspace/app/shared.gitconfig",
    } <= set(targets)

    host.account.ok("start", "-d", "-a", "shell", "--protect", "strict", "-n", "evil", app)
    evil = app / "evil"
    for name, content in {
        "hook": f"#!/bin/sh\ntouch {ran}\n",
        "config": (
            f'[core]\n\tfsmonitor = "touch {ran}; '
            f'false"\n\tpager = touch {ran}\n\tsshCommand = touch {ran}\n\thooksPath = {evil}/git/hooks\n'
        ),
        "tasks.json": "evil",
        "swap/evil": "evil",
        "git/HEAD": "ref: refs/heads/main\n",
        "git/config": f'[core]\n\tfsmonitor = "touch {ran}; false"\n',
        "git/hooks/pre-commit": f"#!/bin/sh\ntouch {ran}\n",
    }.items():
        (evil / name).parent.mkdir(parents=True, exist_ok=True)
        (evil / name).write_text(content)
        (evil / name).chmod(0o755)
    for name in ("objects", "refs"):
        (evil / "git" / name).mkdir()
    attacks.place("plant.py", app)
    done = host.inside("evil", 'exec python3 plant.py "$@"', "/workspace/app/evil", *targets)
    assert (done.code, done.out) == (0, ""), done
    assert host.inside("evil", BY_GIT, "/workspace/app/evil").code == 0
    (app / "plant.py").unlink()
    assert {path: tree(path) if path.is_dir() else path.read_text() for path in held} == held
    assert (app / ".git" / "commondir").read_text() == ".\n"

    for moment in ("while it runs", "after it has stopped"):
        for directory in (app, app / "sub", app / "nested", app / "deep/er/nested", app.parent / "elsewhere"):
            host.git(directory, "status")
            host.git(directory, "commit", "--quiet", "--allow-empty", "-m", moment)
            host.git(directory, "fetch", "--quiet", "--all")
        host.git(app, "pull", "--quiet")
        host.git(app, "push", "--quiet")
        host.git(app, "submodule", "status")
        host.git(app, "--git-dir=bare.git", "log", "-1")
        if (app / ".envrc").is_file():
            subprocess.run(["sh", "-c", ". ./.envrc"], cwd=app, check=True)
        assert not ran.exists(), moment
        if "runs" in moment:
            host.account.ok("stop", "evil")
    subprocess.run(["rm", "-rf", evil], check=True)
    now = tree(app)
    assert [path for path in before if path not in now] == []
    new = [path for path in now if path not in before]
    assert [
        path
        for path in new
        if not re.search(r"\.git/(.*/)?(objects|refs|logs|FETCH_HEAD|ORIG_HEAD|COMMIT_EDITMSG)", path)
    ] == []
    assert "elsewhere" in host.git(app, "worktree", "list").out


WORK = r"""
export HOME=/home/agent
set -e
step() { said=$("$@" 2>&1) || { echo "FAILED $*: $said"; exit 1; }; printf '%s\n%s\n' "+ $*" "$said"; }
cd "$1"; branch=$2
echo two >>file
step git add file
step git -c user.name=Agent -c user.email=agent@example.org commit -q -m two
step git commit -q --amend -m "two, better"
step git status --short
step git log -1 --format=%an
step git branch "$branch-a"
step git switch -q "$branch-a"
echo three >>file
step git stash -q
step git stash pop -q
step git commit -q -am three
step git fetch -q origin
step git push -q -u origin "$branch-a"
step git push -q
step git switch -q -c "$branch-b" HEAD~1
echo other >other
step git add other
step git commit -q -m other
step git rebase -q "$branch-a"
step git checkout -q -b "$branch-c" origin/"$branch-a"
step git rev-parse --abbrev-ref "$branch-c@{upstream}"
step git pull -q
step git tag "$branch-1.0"
step git tag -d "$branch-1.0"
step git remote add "$branch-other" ../nowhere
step git remote -v
step git config user.nickname me
step git worktree add -q "$HOME/$branch-tree" -b "$branch-w"
(cd "$HOME/$branch-tree" && echo w >w && step git add w && step git commit -q -m w && step git status --short)
step git worktree list
step git worktree prune
step git gc -q
step git pack-refs --all
step git branch -q -D "$branch-b"
mkdir -p "$PWD/dir.$branch"; cd "$PWD/dir.$branch"
step git status --short
step git -C .. log -1 --format=%s
step git --git-dir="$(git rev-parse --git-dir)" --work-tree=.. status --short
"""


def test_work_goes_on_in_every_kind_of_repository(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    library = host.repository(app / "library")  # an origin that the container sees
    host.git(app, "submodule", "--quiet", "add", "-b", "main", "./library-origin.git", "sub", ok=False)
    host.git(
        app, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(library), "sub", ok=False
    )
    wt = host.account.home / "projects" / "tree"
    host.git(app, "worktree", "add", "--quiet", "-b", "side", str(wt))
    origins = app / "origins"
    for repository in (app, library):
        host.git(repository, "clone", "--quiet", "--bare", ".", str(origins / f"{repository.name}.git"))
        target = "/workspace/app" if repository == app else "/workspace/app/library"
        host.git(
            repository,
            "remote",
            "set-url",
            "origin",
            f"{target.removesuffix('/library')}/origins/{repository.name}.git",
        )
    hook = app / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\ntouch /tmp/the-hook-ran\n")
    hook.chmod(0o755)
    configs = {path: path.read_bytes() for path in app.parent.rglob("config") if ".git" in path.parts}
    assert configs
    places = {"app": "/workspace/app", "library": "/workspace/app/library", "tree": "/workspace/tree"}
    host.account.ok("start", "-d", "-a", "shell", "-n", "work", app, wt)
    for branch, place in places.items():
        done = host.inside("work", WORK, place, branch)
        assert done.code == 0, f"{place}: {done.out}{done.err}"
        assert not COMPLAINTS.search(done.out + done.err), done.out + done.err
    assert host.inside("work", "ls /tmp/the-hook-ran").code == 0
    assert {path: path.read_bytes() for path in configs} == configs
    assert sorted(path.name for path in (app / ".git" / "hooks").iterdir() if path.suffix != ".sample") == [
        "pre-commit"
    ]
    assert "app-a" in host.git(app, "branch").out
    assert host.git(app, "log", "-1", "--format=%s", "app-a").out == "three\n"
    listed = host.git(app, "worktree", "list").out
    assert f"{app} " in listed
    assert f"{wt} " in listed
    host.git(app, "fsck", "--no-dangling")
    assert host.git(app, "status", "--short", "--untracked-files=no").code == 0
    host.account.ok("stop", "work")
    host.git(wt, "status")


def test_a_repository_without_a_commit_can_be_begun(host: Host) -> None:
    app = host.account.project("app")
    host.git(app, "init", "--quiet", "-b", "main")
    config = (app / ".git" / "config").read_bytes()
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    done = host.inside(
        "s",
        "set -e; echo a >a; git add -A; git commit -qm a; "
        "git commit -q --allow-empty -m b; git status --short; git ls-files",
    )
    assert (done.code, done.out, done.err) == (0, "a\n", "")
    assert (app / ".git" / "config").read_bytes() == config
    assert host.git(app, "log", "--format=%s").out == "b\na\n"


def test_a_submodule_can_be_worked_in(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.repository(app.parent / "library")
    host.git(app, "submodule", "--quiet", "add", "../library", "sub")
    host.git(app, "commit", "--quiet", "-m", "submodule")
    host.git(app / "sub", "clone", "--quiet", "--bare", ".", str(app / "library.git"))
    host.git(app / "sub", "remote", "set-url", "origin", "/workspace/app/library.git")
    before = (app / ".git/modules/sub/config").read_bytes()
    host.account.ok("start", "-d", "-a", "shell", "-n", "work", app)
    done = host.inside("work", WORK, "/workspace/app/sub", "sub")
    assert done.code == 0, done.out + done.err
    assert not COMPLAINTS.search(done.out + done.err), done.out + done.err
    done = host.inside(
        "work",
        "git status --short && git submodule status && git add sub && "
        "git commit -qm pointer && git status --short",
    )
    assert done.code == 0, done
    assert not COMPLAINTS.search(done.out + done.err), done
    assert (app / ".git/modules/sub/config").read_bytes() == before
    host.account.ok("stop", "work")
    assert host.git(app, "submodule", "status").out.startswith(" ")


def test_the_hosts_config_is_seen_later_and_the_sessions_own_kept(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    host.inside("s", "git remote add mine /somewhere; git config branch.main.description mine")
    host.git(app, "config", "user.nickname", "host")
    host.git(app, "remote", "set-url", "origin", "../other.git")
    said = host.inside(
        "s",
        "git config user.nickname; git remote get-url mine; "
        "git remote get-url origin; git config branch.main.description",
    )
    assert said.out.split() == ["host", "/somewhere", "../other.git", "mine"]
    assert "mine" not in (app / ".git" / "config").read_text()


def test_what_the_host_replaces_or_removes_stays_protected(host: Host) -> None:
    """The kernel drops a mount when the host renames something over what it is on, or removes that:
    the guard puts it back.
    """
    app = host.repository(host.account.home / "projects" / "a pp")
    (app / ".claude").mkdir()
    (app / ".claude" / "settings.json").write_text("{}")
    host.git(app, "add", "-A")
    host.git(app, "commit", "--quiet", "-m", "settings")
    host.account.ok("start", "-d", "-a", "shell", "--protect", "strict", "-n", "s", app)
    place = "/workspace/a pp"

    def closed(path: str) -> bool:
        if host.inside("s", 'mountpoint -q "$1"', path, directory=place).code:
            return False
        return (
            host.inside(
                "s", 'echo evil >>"$1" || mkdir "$1" || echo evil >"$1/evil"', path, directory=place
            ).code
            != 0
        )

    host.git(app, "config", "user.nickname", "host")
    host.git(app, "checkout", "--quiet", "-b", "side", "origin/main")  # writes config, removes .claude
    until(lambda: closed(".git/config"), "config is protected again")
    host.git(app, "checkout", "--quiet", "main")
    until(lambda: closed(".claude"), "settings are protected again")
    host.git(app, "clean", "-fdx")  # all placeholders
    for path in (".vscode", ".mcp.json", "opencode.json", ".envrc"):
        until(partial(closed, path), f"{path} is protected again")
    assert "evil" not in (app / ".git" / "config").read_text()
    host.account.ok("stop", "s")
    assert host.git(app, "status", "--short", "--ignored").out == ""
    assert sorted(path.name for path in app.iterdir()) == [".claude", ".git", "file"]


def test_the_agent_can_neither_end_the_guard_nor_use_it(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    host.inside(
        "s",
        "kill -9 -1; pkill -9 findmnt; pkill -9 -f session-guard; mkdir -p ~/.local/bin; "
        "printf '#!/bin/sh\\nid >/tmp/id' >~/.local/bin/mount; chmod +x ~/.local/bin/mount",
    )
    host.account.ok("start", "-d", "-n", "s")
    host.inside("s", "kill -9 $(pgrep findmnt); kill -9 $(pgrep -f session-guard)")
    host.git(app, "config", "user.nickname", "host")
    until(
        lambda: host.inside("s", "mountpoint -q .git/config && ! echo evil >>.git/config").code == 0,
        "config is protected again",
    )
    assert "evil" not in (app / ".git" / "config").read_text()
    assert host.inside("s", "cat /tmp/id").code != 0


def test_nothing_is_left_on_the_host(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    plain = host.account.project("plain", notes="words")
    below = app / "packages" / "one"
    below.mkdir(parents=True)
    exclude = app / ".git" / "info" / "exclude"
    exclude.write_text("*.log")
    before = tree(app.parent)
    for project in (app, plain, below):
        host.account.ok("start", "-d", "-a", "shell", "--protect", "strict", "-n", "s", project)
        assert tree(app.parent) != before
        assert host.git(app, "status", "--short").out == ""
        host.git(app, "add", "-A", "--dry-run")
        assert host.inside("s", "git -C /workspace/app status --short 2>/dev/null").out == ""
        host.account.ok("stop", "s")
        assert tree(app.parent) == before, "stopped"
        host.account.ok("start", "-d", "-n", "s")
        host.account.podman("kill", "--signal", "KILL", "agent_s")
        assert tree(app.parent) != before
        assert host.account.sessions() == {"s": "stopped"}
        assert tree(app.parent) == before, "killed"
        host.account.ok("rm", "-f", "s")
        assert tree(app.parent) == before, "removed"


def test_what_another_session_needs_stays(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    before = tree(app)
    for name in ("one", "two"):
        host.account.ok("start", "-d", "-a", "shell", "--protect", "strict", "-n", name, app)
    host.account.ok("stop", "one")
    host.account.ok("rm", "-f", "one")
    assert (app / ".mcp.json").exists()
    assert host.git(app, "status", "--short").out == ""
    assert host.inside("two", "mkdir -p .idea/x; echo evil >.mcp.json").code != 0
    host.account.ok("stop", "two")
    assert tree(app) == before


def test_what_the_user_makes_of_a_placeholder_is_his(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "--protect", "strict", "-n", "s", app)
    (app / ".vscode" / "settings.json").write_text("{}")
    (app / "opencode.json").write_text('{"model": "mine"}')
    host.account.ok("stop", "s")
    assert (app / ".vscode" / "settings.json").exists()
    assert (app / "opencode.json").exists()
    assert not (app / ".idea").exists()
    assert "opencode.json" in host.git(app, "status", "--short").out


def test_single_paths_can_be_left_to_the_agent(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    refused = host.account.run(
        "start", "-d", "-a", "shell", "--protect", "strict", "-n", "s", "--unprotected", "src", app
    )
    assert refused.code == 2
    assert ".vscode" in refused.err
    host.account.ok(
        "start",
        "-d",
        "--protect",
        "strict",
        "-a",
        "shell",
        "-n",
        "s",
        "--unprotected",
        ".vscode",
        app,
        env={"AGENT_SESSION_UNPROTECTED": ".idea"},
    )
    (session,) = json.loads(host.account.ok("ls", "--json"))
    assert session["unprotected"] == [".vscode"]
    assert host.inside("s", "mkdir .vscode && echo x >.vscode/tasks.json").code == 0
    assert host.inside("s", "echo x >.idea/x").code != 0
    assert host.account.run("start", "-d", "-n", "s", "--unprotected", ".git/hooks").code == 5
    host.account.ok("stop", "s")
    host.account.ok("start", "-d", "-n", "s", env={"AGENT_SESSION_UNPROTECTED": ".git/config:.git/hooks"})
    assert (
        host.inside("s", "git config user.nickname x && echo x >.git/hooks/x && ! echo x >.vscode/y").code
        == 0
    )
    assert host.git(app, "config", "user.nickname").out == "x\n"


def test_a_repository_that_appeared_is_protected_from_the_next_start_on(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    host.inside("s", "echo mine >~/mine; git init -q new")
    host.account.ok("stop", "s")
    host.account.ok("start", "-d", "-n", "s")
    done = host.inside("s", "cat ~/mine; cd new && echo '[core] pager = evil' >>.git/config")
    assert done.out == "mine\n"
    assert done.code != 0


def test_a_link_in_the_place_of_a_protected_path_is_refused(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    (app / ".vscode").symlink_to("/etc")
    refused = host.account.run("start", "-d", "-a", "shell", "--protect", "strict", "-n", "s", app)
    assert refused.code == 2
    assert "--unprotected .vscode" in refused.err
    assert not (app / ".idea").exists()
    host.account.ok(
        "start", "-d", "-a", "shell", "--protect", "strict", "-n", "s", "--unprotected", ".vscode", app
    )


def test_a_link_to_secrets_shows_nothing(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    secrets = host.account.home / ".ssh"
    secrets.mkdir()
    (secrets / "id").write_text("SECRET")
    (app / "keys").symlink_to(secrets)
    (app / "relative").symlink_to("../../.ssh")
    (app / ".git" / "modules").mkdir()
    (app / "pointer").mkdir()
    (app / "pointer" / ".git").write_text(f"gitdir: {secrets}\n")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    done = host.inside(
        "s", f"cat keys/id relative/id {secrets}/id; grep -rs SECRET /workspace {host.account.home}; true"
    )
    assert "SECRET" not in done.out
    refused = host.account.run(
        "start", "-d", "-a", "shell", "-n", "t", app, env={"AGENT_SESSION_MOUNTS": str(secrets)}
    )
    assert refused.code == 2


def test_a_worktree_given_as_a_project_cannot_reach_its_main_repositorys_config(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    wt = app.parent / "tree"
    host.git(app, "worktree", "add", "--quiet", str(wt))
    before = tree(app)
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", wt)
    done = host.inside(
        "s",
        'echo evil >>"$1/config"; echo evil >"$1/hooks/pre-commit"; echo .. >"$1/commondir"; '
        'mv "$1" "$1.old"; mv "$1/worktrees" "$1/w"; '
        'echo evil >"$1/worktrees/tree/commondir"; echo "gitdir: /tmp" >.git; mv .git .git2; ls "$1/../file"',
        str(app / ".git"),
        directory="/workspace/tree",
    )
    assert str(app / ".git") not in done.out
    host.account.ok("stop", "s")
    assert tree(app) == before
    assert (wt / ".git").read_text() == f"gitdir: {app}/.git/worktrees/tree\n"
