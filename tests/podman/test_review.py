"""In review mode a project's directory is its owner's:
tools and git do what they do on the host, and what could run here is told.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.host_git import IDENTITY, Host

pytestmark = pytest.mark.podman

TRACKED = (
    ".vscode/settings.json",
    ".claude/settings.json",
    ".mcp.json",
    ".husky/pre-commit",
    ".envrc",
    "opencode.json",
)
"""Protected paths that a repository may have in it."""

GIT_WORK = r"""
say() { "$@" >/dev/null 2>&1; echo "$? $*"; }
say git switch feature
echo work >>src; say git commit -qam work
say git merge --no-edit main
say git pull . main
say git switch main
echo mine >.envrc; say git stash
say git stash pop
say git checkout -- .envrc
say git switch -c third HEAD~1
say git rebase main
say git reset --hard HEAD~1
say git checkout feature -- .vscode
say git commit -qm vscode
rm -rf .vscode; say git commit -qam gone
say git revert --no-edit HEAD
echo x >junk; mkdir -p .idea; echo x >.idea/x; say git clean -fdx
git status --short; git log --format=%T --all | sort; ls -A; find . -name .git -prune -o -type f -print |
    sort | xargs cat
"""


def many_branches(host: Host, app: Path) -> Path:
    """A repository in which the content of protected paths differs from branch to branch."""
    app.mkdir(parents=True)
    host.git(app, "init", "--quiet", "-b", "main")
    (app / "src").write_text("src\n")
    for branch in ("feature", "main"):
        for path in TRACKED:
            (app / path).parent.mkdir(exist_ok=True)
            (app / path).write_text(f'"{branch}"\n')
        host.git(app, "add", "-A")
        host.git(app, "commit", "--quiet", "-m", branch)
        if branch == "feature":
            host.git(app, "branch", "feature")
    return app


def test_git_does_with_tracked_protected_paths_what_it_does_in_a_plain_clone(host: Host) -> None:
    app = many_branches(host, host.account.home / "projects" / "app")
    plain = host.account.home / "plain"
    subprocess.run(["cp", "-a", app, plain], check=True)
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    inside = host.inside("s", f"cd /workspace/app; {GIT_WORK}")
    environment = host.account.environment | IDENTITY
    outside = subprocess.run(
        ["sh", "-c", GIT_WORK], cwd=plain, capture_output=True, text=True, check=False, env=environment
    )
    assert inside.out == outside.stdout
    assert "1 git" not in outside.stdout.replace("1 git commit -qm vscode", ""), (
        "the walk itself goes through"
    )
    assert host.account.run("review", "s").out == "", "all of it is in the history that the repository had"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


TOOLS = r"""
set -e
ls -A
git clone -q "$1" . && ls -A && git status --short
[ -d .vscode ]
cat >package.json <<'END'
{"name": "x", "version": "1.0.0", "scripts": {"prepare": "node husky.js", "check": "node check.js"}}
END
cat >husky.js <<'END'
const fs = require("fs"), { spawnSync } = require("child_process");
if (spawnSync("git", ["config", "core.hooksPath", ".husky/_"]).status) process.exit(1);
fs.mkdirSync(".husky/_", { recursive: true });
fs.writeFileSync(".husky/_/pre-commit", "#!/bin/sh\n", { mode: 0o755 });
END
cat >check.js <<'END'
for (const file of require("fs").readdirSync("."))
    if (file.endsWith(".json")) JSON.parse(require("fs").readFileSync(file));
END
npm install --no-audit --no-fund --silent && npm ci --no-audit --no-fund --silent && npm run --silent check
ls -A .husky/_
npm pack --silent >/dev/null && tar -tzf x-1.0.0.tgz | sort | tr '\n' ' '
mkdir -p .claude && echo '{"permissions": {"allow": ["Bash(npm:*)"]}}' >.claude/settings.local.json
git worktree add -q .claude/worktrees/x -b x && git -C .claude/worktrees/x status --short
"""


def test_tools_find_an_empty_directory_and_may_write_everything(host: Host) -> None:
    origin = many_branches(host, host.account.home / "origin")
    empty = host.account.project("app")
    store = host.account.project("store")
    host.git(store, "clone", "--quiet", "--bare", str(origin), "origin.git")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", empty, store)
    assert names(empty) == []
    done = host.inside("s", TOOLS, "/workspace/store/origin.git")
    assert done.code == 0, done
    expected = [".claude", ".envrc", ".git", ".husky", ".mcp.json", ".vscode", "opencode.json", "src"]
    assert done.out.split()[: len(expected)] == expected
    packed = [
        ".envrc",
        ".mcp.json",
        ".vscode/settings.json",
        "check.js",
        "husky.js",
        "opencode.json",
        "package.json",
        "src",
    ]
    assert {f"package/{name}" for name in packed} <= set(done.out.split())
    assert ".gitmodules" not in done.out
    listed = {one["path"]: one for one in json.loads(host.account.ok("review", "--json", "s"))}
    assert {"app/.git", "app/.husky", "app/.vscode/settings.json"} <= listed.keys()
    host.account.ok("stop", "s")
    assert (empty / ".claude" / "settings.local.json").exists(), "what was saved with 'always' stays"
    host.account.ok("start", "-d", "-n", "s")
    assert (
        host.inside(
            "s", "cat .claude/settings.local.json && git -C .claude/worktrees/x log --format=%s -1"
        ).code
        == 0
    )


def test_what_the_agent_changed_is_told_wherever_the_session_is_looked_at(host: Host) -> None:
    app = many_branches(host, host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    assert "REVIEW" not in host.account.ok("ls")
    plant = "/usr/bin/git init -q sub; /usr/bin/git -C sub config core.fsmonitor evil"
    host.inside("s", f"echo '{{}}' >.vscode/tasks.json; echo evil >>.envrc; {plant}")
    assert "2 changed" in host.account.ok("ls")
    assert json.loads(host.account.ok("ls", "--json"))[0]["changes"] == 2
    status = host.account.ok("status", "s")
    assert all(path in status for path in (".vscode/tasks.json", ".envrc", "sub/.git", "core.fsmonitor"))
    shown = host.account.run("review", "--diff", "s", ".envrc")
    assert (shown.code, "+evil" in shown.out, "tasks.json" in shown.out) == (0, True, False)
    assert host.account.run("review", "s", "src").code == 4
    assert host.account.run("review", "--accept", "--revert", "s").code == 2
    stopped = host.account.run("stop", "s")
    assert ".envrc (changed: direnv runs it" in stopped.err
    assert "agent-session review s" in stopped.err
    host.account.ok("review", "--accept", "s", ".vscode")
    reverted = host.account.ok("review", "--revert", "s", app / ".envrc", "sub")
    assert (app / ".envrc").read_text() == '"main"\n'
    assert not (app / "sub" / ".git").exists()
    kept = [Path(line.rpartition(" is in ")[2]) for line in reverted.splitlines()]
    assert [path.exists() for path in kept] == [True, True]
    assert host.account.run("review", "s").out == ""
    (app / ".mcp.json").write_text("mine")
    removed = host.account.run("rm", "-f", "s")
    assert ".mcp.json (changed" in removed.err
    assert (app / ".mcp.json").read_text() == "mine"


@pytest.mark.parametrize("mode", ["review", "off"])
def test_nothing_of_agent_sessions_is_in_the_working_tree(host: Host, mode: str) -> None:
    app = many_branches(host, host.account.home / "projects" / "app")
    before = names(app)
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", "--protect", mode, app)
    assert names(app) == before
    assert host.git(app, "status", "--short", "--ignored").out == ""
    done = host.inside(
        "s",
        "ls -A; rm -rf .vscode .claude && mkdir .vscode && ! echo x >>.git/config; "
        "code=$?; echo x >.git/hooks/x; exit $code",
    )
    assert (done.code, done.out.split()) == (0, before), done
    assert not (app / ".git" / "hooks" / "x").exists(), "a hook of the session is not one of the host"
    assert ("protect off" in host.account.ok("ls")) == (mode == "off")
    changes = json.loads(host.account.ok("review", "--json", "s"))
    assert bool(changes) == (mode == "review")


def test_who_leaves_a_session_is_told_what_differs(host: Host) -> None:
    app = many_branches(host, host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "-n", "s", app)
    host.inside("s", "echo evil >>.envrc")
    terminal = host.account.window_of("bash", "--noprofile", "--norc", env={"PS1": "host> "}, columns=200)
    terminal.type("agent-session attach s; echo status $?", "Enter")
    terminal.wait_for("Ctrl q detaches")
    terminal.press("C-q")
    screen = terminal.wait_for("agent-session review s", "status 0")
    assert ".envrc (changed: direnv runs it" in screen
