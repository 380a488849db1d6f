"""Git's housekeeping in a session deletes nothing that only the host, or another worktree, names."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host_git import Host

pytestmark = pytest.mark.podman

OLD = r"find .git/objects -type f -exec touch -d '3 weeks ago' {} +"
MAINTENANCE = {
    "commit that starts automatic gc": (
        "git -c gc.auto=1 -c gc.autoDetach=false commit -q --allow-empty -m m && git -c gc.auto=1 gc -q --auto"
    ),
    "gc": "git gc -q",
    "gc --prune=now": "git gc -q --prune=now",
    "gc in an alias": "git -c alias.tidy='!git gc -q --prune=now && git prune' tidy",
    "prune": "git prune --expire=now",
    "repack -ad": "git repack -a -d -q && git prune-packed",
    "repack -Ad": "git repack -A -d -q --unpack-unreachable=now",
    "worktree prune": "git worktree prune --expire=now && git gc -q --prune=now",
}


@dataclass(frozen=True, kw_only=True)
class Named:
    """Objects that nothing but one place on the host names, and that place."""

    staged: str
    detached: str
    stashed: str
    app: Path
    tree: Path


def prepare(host: Host) -> Named:
    """A repository with a worktree beside it; something staged in both, a detached commit and a stash, all three weeks old."""
    app = host.repository(host.account.home / "projects" / "app")
    tree = app.parent / "tree"
    host.git(app, "worktree", "add", "--quiet", "--detach", str(tree))
    (tree / "found").write_text("a commit that no branch has\n")
    host.git(tree, "add", "-A")
    host.git(tree, "commit", "--quiet", "-m", "detached")
    detached = host.git(tree, "rev-parse", "HEAD").out.strip()
    (app / "file").write_text("to be stashed\n")
    host.git(app, "stash", "--quiet")
    stashed = host.git(app, "rev-parse", "stash@{0}").out.strip()
    (app / "precious").write_text("staged for weeks\n")
    (tree / "other").write_text("staged in the worktree\n")
    host.git(app, "add", "precious")
    host.git(tree, "add", "other")
    staged = host.git(app, "rev-parse", ":precious").out.strip()
    subprocess.run(["sh", "-c", OLD], cwd=app, check=True)
    return Named(staged=staged, detached=detached, stashed=stashed, app=app, tree=tree)


def check(host: Host, named: Named) -> None:
    """Everything is still there, and both trees can be committed."""
    for oid in (named.staged, named.detached, named.stashed):
        host.git(named.app, "cat-file", "-e", oid)
    for place in (named.app, named.tree):
        host.git(place, "fsck", "--no-dangling")
        host.git(place, "write-tree")
        assert host.git(place, "status", "--porcelain").out.startswith("A  ")
    assert str(named.tree) in host.git(named.app, "worktree", "list").out


@pytest.mark.parametrize("projects", [("app",), ("tree",), ("app", "tree")], ids="+".join)
def test_nothing_that_the_host_names_is_lost_to_a_session(host: Host, projects: tuple[str, ...]) -> None:
    named = prepare(host)
    places = {"app": named.app, "tree": named.tree}
    host.account.ok("start", "-d", "-a", "shell", "-n", "work", *(places[name] for name in projects))
    own = f"git -C /workspace/{projects[0]} worktree add -q -b own /workspace/own"
    assert host.inside("work", own, directory="/workspace").code == 0
    for title, command in MAINTENANCE.items():
        for directory in (*(f"/workspace/{name}" for name in projects), "/workspace/own"):
            script = command if "commit" not in title or directory.endswith("own") else MAINTENANCE["gc"]
            done = host.inside("work", script, directory=directory)
            assert done.code == 0, f"{title} in {directory}: {done}"
            check(host, named)


def test_a_branch_is_checked_out_once_whichever_worktree_asks(host: Host) -> None:
    app = host.repository(host.account.home / "projects" / "app")
    host.account.ok("start", "-d", "-a", "shell", "-n", "work", app)
    assert host.inside("work", "git worktree add -q -b own /workspace/own").code == 0
    refused = host.inside("work", "git switch main", directory="/workspace/own")
    assert refused.code != 0
    assert "already" in refused.err
    assert host.inside("work", "git switch own").code != 0
    for directory in ("/workspace/app", "/workspace/own"):
        listed = host.inside("work", "git worktree list", directory=directory).out
        assert [line.split()[0] for line in listed.splitlines()] == ["/workspace/app", "/workspace/own"]
        assert "[main]" in listed
        assert "[own]" in listed
    # The tree that has the branch may go on with it.
    assert (
        host.inside("work", "git switch -q -c next && git switch -q main && git branch -f next main").code
        == 0
    )
