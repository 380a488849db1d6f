"""Every kind of repository is in a session what it is on the host: nothing refuses, nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_session.workspace import history
from tests.account import Account
from tests.host_git import Host
from tests.storage import Storage

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def house(storage: Storage, shell: str) -> Iterator[Host]:  # noqa: ARG001
    """An account with a session "kinds" whose projects are repositories of every kind."""
    account = Account(storage.path, storage.driver)
    (account.home / ".gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    host = Host(account=account)
    try:
        account.ok("start", "-d", "-a", "shell", "-n", "kinds", *_projects(host), env=_borrowed(host))
        yield host
    finally:
        account.close()


def _borrowed(host: Host) -> dict[str, str]:
    """What a start names besides for the repositories whose objects or git directory lie elsewhere."""
    folder = host.account.home / "projects"
    return {
        "AGENT_SESSION_MOUNTS": str(folder / "lender" / ".git" / "objects"),
        "AGENT_SESSION_KOB": str(folder / "far.git"),
    }


def _projects(host: Host) -> list[Path]:
    folder, git = host.account.home / "projects", host.git
    app = host.repository(folder / "app")
    for number in range(4):
        (app / f"d{number}").mkdir()
        (app / f"d{number}" / "file").write_text(f"{number}\n")
        git(app, "add", "-A")
        git(app, "commit", "-q", "-m", f"d{number}")
    store = folder / "store"
    store.mkdir()
    git(store, "clone", "-q", "--bare", str(app), "app.git")
    git(folder, "clone", "-q", "--depth=1", f"file://{store}/app.git", "shallow")
    git(folder, "clone", "-q", str(app), "sparse")
    git(folder, "clone", "-q", str(app), "relative")
    git(folder, "clone", "-q", str(app), "lender")
    git(folder, "clone", "-q", "--shared", "lender", "shared")
    git(folder, "clone", "-q", "--separate-git-dir=far.git", str(app), "far")
    git(folder, "clone", "-q", str(app), "super")
    git(folder / "super", "submodule", "--quiet", "add", str(store / "app.git"), "sub")
    (folder / "super" / ".gitmodules").write_text(
        '[submodule "sub"]\n\tpath = sub\n\turl = /workspace/store/app.git\n'
    )
    git(folder / "super", "add", "-A")
    git(folder / "super", "commit", "-q", "-m", "submodule")
    git(folder, "clone", "-q", "super", "plain")
    reftable = folder / "reftable"
    reftable.mkdir()
    names = ("store", "shallow", "sparse", "relative", "shared", "far", "plain", "reftable")
    return [folder / name for name in names]


def work(house: Host, name: str, script: str) -> str:
    """Run a script in a project in the session; it must end well and complain of nothing."""
    done = house.inside("kinds", f"set -e; {script}", directory=f"/workspace/{name}")
    assert done.code == 0, done
    assert "fatal" not in done.err, done
    assert "error" not in done.err, done
    return done.out.strip()


COMMIT = "echo more >>file; git commit -qam more; git status --short; git fsck --no-dangling 2>&1"


def on_host(house: Host, name: str) -> str:
    """What the host's git says of a project: the last subject, changes, and whether it is whole."""
    top = house.account.home / "projects" / name
    said = house.git(top, "fsck", "--no-dangling")
    assert said.code == 0, said
    return house.git(top, "log", "-1", "--format=%s").out + house.git(top, "status", "--short").out


def test_what_the_host_has_checked_out_is_current_in_a_session(house: Host) -> None:
    assert work(house, "relative", "git diff-files") == ""


def test_a_shallow_clone_is_deepened_and_made_whole(house: Host) -> None:
    url = "git remote set-url origin /workspace/store/app.git"
    script = f"{url}; git rev-list --count HEAD; git fetch -q --deepen=1; git rev-list --count HEAD; "
    assert (
        work(house, "shallow", f"{script} git fetch -q --unshallow; git rev-list --count HEAD") == "1\n2\n5"
    )
    assert work(house, "shallow", COMMIT) == ""
    assert on_host(house, "shallow") == "more\n"
    assert not (house.account.home / "projects" / "shallow" / ".git" / "shallow").exists()


def test_sparse_checkout_is_set_in_a_session_and_widened_and_ended(house: Host) -> None:
    assert work(house, "sparse", "git sparse-checkout set d1; ls; git status --short") == "d1\nfile"
    assert work(house, "sparse", "git sparse-checkout add d2; ls; git sparse-checkout list") == (
        "d1\nd2\nfile\nd1\nd2"
    )
    assert work(house, "sparse", COMMIT) == ""
    assert work(house, "sparse", "git sparse-checkout disable; ls") == "d0\nd1\nd2\nd3\nfile"
    assert on_host(house, "sparse") == "more\n"


def test_worktrees_with_relative_paths_work(house: Host) -> None:
    script = (
        "git config worktree.useRelativePaths true; git worktree add -q -b side sub/tree; cat sub/tree/.git"
    )
    assert work(house, "relative", script).startswith("gitdir: ../")
    assert work(house, "relative", f"cd sub/tree; {COMMIT}; git -C ../.. worktree list | wc -l") == "2"
    assert work(house, "relative", "git status --short; git log -1 --format=%s side") == "?? sub/\nmore"


def test_a_clone_that_shares_objects_and_a_git_directory_elsewhere_are_mounted_as_start_says(
    house: Host,
) -> None:
    for name in ("shared", "far"):
        assert work(house, name, f"git rev-list --count HEAD; {COMMIT}") == "5", name
        assert on_host(house, name) == "more\n", name


def test_submodules_are_initialized_updated_and_added(house: Host) -> None:
    update = "git -c protocol.file.allow=always submodule --quiet update --init"
    assert work(house, "plain", f"{update}; cat sub/d3/file") == "3"
    assert work(house, "plain/sub", f"git switch -q -c mine; {COMMIT}") == ""
    script = "git -c protocol.file.allow=always submodule --quiet add /workspace/store/app.git second"
    assert work(house, "plain", f"{script}; git commit -qam second; git submodule status | wc -l") == "2"
    check = "git submodule --quiet foreach git fsck --no-dangling; git status --short"
    assert work(house, "plain", check) == ""
    plain = house.account.home / "projects" / "plain"
    assert house.git(plain / "sub", "log", "-1", "--format=%s").out == "more\n"
    assert house.git(plain, "log", "-1", "--format=%s").out == "second\n"


def test_lfs_keeps_pointers_in_commits_and_content_in_the_tree(house: Host) -> None:
    script = (
        "git switch -q -c lfs; git lfs install --local >/dev/null; git lfs track '*.bin' >/dev/null; "
        "head -c 3000 /dev/zero >x.bin; git add -A; git commit -qm lfs; "
        "git cat-file -p HEAD:x.bin | head -1; wc -c <x.bin; git status --short; git switch -q -; "
        "test ! -e x.bin; git switch -q lfs; wc -c <x.bin"
    )
    assert work(house, "shallow", script) == "version https://git-lfs.github.com/spec/v1\n3000\n3000"


def test_a_reftable_repository_is_worked_in_and_its_history_is_known_to_review(house: Host) -> None:
    script = (
        "git init -q --ref-format=reftable -b main; mkdir .vscode; echo 1 >.vscode/settings.json; "
        "git add -A; git commit -qm one; git switch -q -c other; echo 2 >.vscode/settings.json; "
        "git commit -qam two; git tag -a -m v v1; git branch gone; git branch -q -D gone; "
        "git rev-parse main other"
    )
    known = work(house, "reftable", script).split()
    top = house.account.home / "projects" / "reftable"
    assert sorted(history.tips(top)) == sorted(known)
    house.account.ok("start", "-d", "-a", "shell", "-n", "again", top)
    switched = (
        "git switch -q main; cat .vscode/settings.json; git pack-refs --all; git gc -q; git status --short"
    )
    done = house.inside("again", switched, directory="/workspace/reftable")
    assert (done.code, done.out) == (0, "1\n"), done
    assert house.account.run("review", "again").out == "", "what it switched to is in the history it had"
    house.inside("again", "echo 3 >.vscode/settings.json", directory="/workspace/reftable")
    assert ".vscode/settings.json" in house.account.run("review", "again").out


def test_a_part_of_a_repository_is_said_with_the_way_on(house: Host) -> None:
    part = house.account.home / "projects" / "app" / "d1"
    done = house.account.run("start", "-d", "-a", "shell", "-n", "part", part)
    assert done.code == 0, done
    assert f"is a part of the repository {part.parent}" in done.err
    assert f"agent-session start {part.parent}" in done.err
