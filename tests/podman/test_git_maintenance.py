"""Git's housekeeping, on the host or in a session, deletes nothing that any worktree names."""

import itertools
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host_git import Host

pytestmark = pytest.mark.podman

AGE = r"find .git/objects -type f -exec touch -d '3 weeks ago' {} +"
TREES = ("host main", "host worktree", "session worktree", "other session's worktree")
STATES = {
    "staged": "echo precious >precious; git add precious; git rev-parse :precious >$keep",
    "stash": "echo later >>file; git stash -q; git rev-parse stash@{0} >$keep",
    "detached HEAD": (
        "git switch -q --detach; git commit -q --allow-empty -m detached; git rev-parse HEAD >$keep"
    ),
    "rebase": (
        "git switch -q -c topic-$$; echo topic >file; git commit -qam topic; git rev-parse HEAD >$keep; "
        "git switch -q --detach HEAD^; echo other >file; git commit -qam other; "
        "git switch -q topic-$$; ! git rebase -q @{-1} >/dev/null 2>&1; "
        "test -d $(git rev-parse --git-dir)/rebase-merge"
    ),
    "bisect": (
        "git switch -q --detach; for i in 1 2 3 4; do git commit -q --allow-empty -m $i; done; "
        "git bisect start HEAD HEAD~4 >/dev/null; git rev-parse HEAD refs/bisect/bad >$keep"
    ),
}
MAINTENANCE = {
    "commit with auto gc": (
        "git -c gc.auto=1 -c gc.autoDetach=false commit -q --allow-empty -m "
        "m && git -c gc.auto=1 gc -q --auto"
    ),
    "gc": "git gc -q",
    "gc --prune=now": "git gc -q --prune=now",
    "prune": "git prune --expire=now",
    "reflog expire": "git reflog expire --all && git gc -q --prune=now",
    "repack -ad": "git repack -a -d -q && git prune-packed",
    "worktree prune": "git worktree prune --expire=now && git gc -q --prune=now",
}
QUICK = (
    ("host main", "staged", "session"),
    ("host worktree", "detached HEAD", "session"),
    ("session worktree", "detached HEAD", "host"),
    ("session worktree", "stash", "host"),
    ("other session's worktree", "rebase", "session"),
    ("host worktree", "stash", "host"),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worktree, and the session that has it; "" is the host."""

    directory: str
    session: str = ""


@dataclass(frozen=True, kw_only=True)
class Trees:
    """A repository of the host with a worktree beside it, and a worktree in each of two sessions."""

    host: Host
    app: Path
    places: dict[str, Place]

    def run(self, place: Place, script: str) -> str:
        """Run a shell script in a worktree; it must end well."""
        if place.session:
            done = self.host.inside(place.session, f"set -e; {script}", directory=place.directory)
        else:
            done = self.host.shell(Path(place.directory), f"set -e; {script}")
        assert done.code == 0, f"{script} in {place}: {done}"
        return done.out


@pytest.fixture
def trees(host: Host) -> Trees:
    app = host.repository(host.account.home / "projects" / "app")
    host.git(app, "worktree", "add", "--quiet", "-b", "beside", "../beside")
    for name in ("one", "two"):
        host.account.ok("start", "-d", "-a", "shell", "-n", name, app)
        assert host.inside(name, f"git worktree add -q -b {name} /workspace/own").code == 0
    places = {
        "host main": Place(directory=str(app)),
        "host worktree": Place(directory=str(app.parent / "beside")),
        "session worktree": Place(directory="/workspace/own", session="one"),
        "other session's worktree": Place(directory="/workspace/own", session="two"),
    }
    return Trees(host=host, app=app, places=places)


def lost(trees: Trees, tree: str, state: str, side: str) -> list[str]:
    """What is missing after each kind of maintenance, said in words."""
    place = trees.places[tree]
    trees.run(place, f"keep=$(git rev-parse --git-dir)/KEEP; {STATES[state]}")
    kept = trees.run(place, "cat $(git rev-parse --git-dir)/KEEP").split()
    subprocess.run(["sh", "-c", AGE], cwd=trees.app, check=True)
    # The tree that is at work itself commits; elsewhere than where something is going on.
    at = trees.places["session worktree" if side == "session" else "host worktree"]
    if at == place:
        at = (
            Place(directory="/workspace/app", session="one")
            if side == "session"
            else trees.places["host main"]
        )
    found = []
    for title, command in MAINTENANCE.items():
        trees.run(at, command)
        for oid in kept:
            if trees.host.git(trees.app, "cat-file", "-e", oid, ok=False).code:
                found.append(f"{tree}, {state}: {oid} by {title} on the {side}")
    for each in trees.places.values():
        trees.run(
            each,
            "git fsck --no-dangling >/dev/null; git status --short >/dev/null; "
            "git write-tree >/dev/null || true",
        )
        assert trees.run(each, "git worktree list").count("\n") == len(trees.places)
    return found


@pytest.mark.parametrize(("tree", "state", "side"), QUICK)
def test_nothing_that_a_worktree_names_is_lost(trees: Trees, tree: str, state: str, side: str) -> None:
    assert lost(trees, tree, state, side) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("tree", "state", "side"), list(itertools.product(TREES, STATES, ("host", "session")))
)
def test_nothing_is_lost_in_any_combination(trees: Trees, tree: str, state: str, side: str) -> None:
    assert lost(trees, tree, state, side) == []


def test_a_branch_is_checked_out_once_whichever_worktree_asks(trees: Trees) -> None:
    for name in ("one", "two"):
        refused = trees.host.inside(name, "git switch main", directory="/workspace/own")
        assert "already used by worktree at '/workspace/app'" in refused.err
        assert trees.host.inside(name, "git switch beside").code != 0
        listed = trees.host.inside(name, "git worktree list").out
        assert "/workspace/app " in listed
        other = "two" if name == "one" else "one"
        assert f"/session/{other}/workspace/own" in listed
    assert "locked" in trees.host.git(trees.app, "worktree", "list").out
    # The tree that has the branch may go on with it; a worktree goes where it was made.
    again = (
        "git switch -q -c next && git switch -q main && "
        "git branch -f next main && git worktree remove /workspace/own"
    )
    assert trees.host.inside("one", again).code == 0
    assert trees.host.git(trees.app, "worktree", "list").out.count("\n") == 3
