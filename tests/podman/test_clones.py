"""Sessions in clones of their own: nothing of the host is writable there,
and work comes back when asked for.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account import Account
from tests.host_git import Host
from tests.storage import Storage
from tests.waiting import COMMAND_SECONDS, until

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def house(storage: Storage, shell: str) -> Iterator[Host]:  # noqa: ARG001
    """An account whose tests each have sessions and repositories of their own."""
    account = Account(storage.path, storage.driver)
    (account.home / ".gitconfig").write_text("[user]\n\tname = Host\n\temail = host@example.org\n")
    try:
        yield Host(account=account)
    finally:
        account.close()


@pytest.fixture(scope="module")
def app(house: Host) -> Path:
    """A repository with staged, unstaged and untracked changes, a tag,
    a branch and a secret in its config.
    """
    app = house.repository(house.account.home / "projects" / "app")
    (app / "deep").mkdir()
    (app / "deep" / "two").write_text("two\n")
    (app / ".gitignore").write_text("*.log\n")
    house.git(app, "add", "-A")
    house.git(app, "commit", "-q", "-m", "two")
    house.git(app, "branch", "feature", "HEAD~1")
    house.git(app, "tag", "-a", "v1", "-m", "version 1")
    house.git(app, "remote", "add", "work", "https://me:secret@example.org/app.git")
    (app / "file").write_text("staged\n")
    house.git(app, "add", "file")
    (app / "deep" / "two").write_text("unstaged\n")
    (app / "new").write_text("untracked\n")
    (app / "x.log").write_text("ignored\n")
    return app


def inside(house: Host, session: str, script: str, directory: str = "/workspace/app") -> str:
    done = house.inside(session, script, directory=directory)
    assert done.code == 0, done
    return done.out.strip()


@pytest.fixture(scope="module")
def a1(house: Host, app: Path) -> str:
    """A session in a clone that took the changes along."""
    house.account.ok("start", "-d", "-a", "shell", "--clone", "--with-changes", "-n", "a1", cwd=app)
    return "a1"


def test_a_clone_has_branches_tags_and_changes_of_its_repository_and_no_login(house: Host, a1: str) -> None:
    assert inside(house, a1, "git status --short --branch") == "## agent/a1\n M deep/two\nM  file\n?? new"
    assert inside(house, a1, "git describe; git rev-list --count main feature") == "v1\n2"
    assert inside(house, a1, "cat file deep/two new; ls x.log 2>&1 || true").startswith(
        "staged\nunstaged\nuntracked\n"
    )
    assert inside(house, a1, "git remote get-url work") == "https://example.org/app.git"
    found = house.account.podman("inspect", "agent_a1", "--format", "{{json .}}")
    assert "secret" not in found + inside(house, a1, "cat .git/config")


def test_nothing_of_the_host_is_writable_in_a_session_with_a_clone(house: Host, app: Path, a1: str) -> None:
    before = {path: path.lstat().st_mtime_ns for path in app.rglob("*")}
    script = (
        "touch /run/host-objects/app/x; chmod -R u+w /run/host-objects/app; rm -rf /run/host-objects/app/*; "
        "mount | grep -c ' /workspace/app '; git repack -adq; "
        "git gc -q --prune=now; git fsck --full 2>&1 | tail -3"
    )
    house.inside(a1, script)
    assert {path: path.lstat().st_mtime_ns for path in app.rglob("*")} == before
    assert house.git(app, "fsck", "--full").code == 0


def test_ls_and_status_show_a_clone(house: Host, app: Path, a1: str) -> None:
    listed = {one["name"]: one for one in json.loads(house.account.ok("ls", "--json"))}
    (project,) = listed[a1]["projects"]
    assert (project["source"], project["target"]) == (str(app), "/workspace/app")
    assert project["clone"]["branch"] == "agent/a1"
    assert f"{app} (clone)" in house.account.ok("ls")
    assert "branch agent/a1" in house.account.ok("status", a1)


def test_git_gc_of_the_host_leaves_what_a_clone_borrows(house: Host, app: Path) -> None:
    house.git(app, "switch", "-q", "--detach")
    house.git(app, "commit", "-q", "--allow-empty", "-m", "on no branch")
    house.account.ok("start", "-d", "-a", "shell", "--clone", "-n", "gc", f"{app}", cwd=app)
    tip = house.git(app, "rev-parse", "HEAD").out.strip()
    house.git(app, "switch", "-q", "main")
    house.git(app, "branch", "-D", "feature")
    house.git(app, "reflog", "expire", "--expire=now", "--all")
    house.git(app, "gc", "-q", "--prune=now")
    assert inside(house, "gc", "git rev-parse HEAD; git fsck --connectivity-only --no-dangling 2>&1") == tip
    house.account.ok("stop", "gc")
    house.account.ok("rm", "-f", "gc")
    house.git(app, "gc", "-q", "--prune=now")
    assert "refs/agent-session/gc" not in house.git(app, "for-each-ref").out
    assert house.git(app, "cat-file", "-e", tip, ok=False).code != 0


def test_work_comes_back_from_running_and_stopped_sessions_and_rm_counts_what_did_not(
    house: Host, app: Path, a1: str
) -> None:
    account = house.account
    inside(
        house,
        a1,
        "set -e; git commit -q -am first; echo more >> file; git commit -q -am second; echo x > left",
    )
    assert account.ok("fetch", a1) == "agent/a1\n"
    assert house.git(app, "rev-list", "--count", "main..agent/a1").out == "2\n"
    assert account.ok("diff", a1, "--stat").splitlines()[-1].strip() == "2 files changed, 2 insertions(+)"
    assert json.loads(account.ok("status", a1, "--json"))["unfetched"] == [
        "/workspace/app: 2 uncommitted changes"
    ]
    stopped = account.run("stop", a1)
    assert f"agent-session fetch {a1} --uncommitted" in stopped.err, stopped
    done = account.run("rm", "-f", a1)
    assert (done.code, "/workspace/app: 2 uncommitted changes" in done.err) == (5, True), done
    assert account.ok("fetch", "--uncommitted", a1) == "agent/a1\nagent/a1-uncommitted\n"
    assert account.ok("apply", a1, "--dry-run", "--only", "left").split() == ["left"]
    account.ok("start", "-d", "-n", a1)
    assert inside(house, a1, "git status --short") == "?? left\n?? new"


def test_a_clone_that_fails_leaves_nothing_and_says_why(house: Host) -> None:
    account = house.account
    before = (account.containers(), account.volumes())
    plain = account.project("plain")
    for words, reason in (
        ([plain], "not in a git repository"),
        (["https://localhost:1/nobody/nothing.git"], "could not be cloned"),
        (["ssh://git@localhost:1/nothing"], "could not be cloned"),
        ([f"file://{plain}"], "not in a git repository"),
        (["ext::sh -c touch% /tmp/x"], "as a project"),
        (["https://me:secret@example.org/x"], "a login in a URL"),
    ):
        done = account.run("start", "-d", "-a", "shell", "-n", "no", "--clone", *words)
        assert (done.code, reason in done.err, "hint: " in done.err) == (2, True, True), done
        assert (account.containers(), account.volumes()) == before
    assert not Path("/tmp/x").exists()


def test_a_start_that_is_killed_while_it_clones_leaves_nothing_for_the_next(house: Host, app: Path) -> None:
    account = house.account
    for _ in range(2):
        begun = account.begin("start", "-d", "-a", "shell", "--clone", "-n", "killed", cwd=app)
        until(lambda: any("killed" in name for name in account.volumes()), "a volume of the clone")
        begun.send_signal(signal.SIGKILL)
        begun.communicate()
    account.ok("start", "-d", "-a", "shell", "--clone", "-n", "killed", cwd=app)
    assert inside(house, "killed", "git rev-parse --abbrev-ref HEAD") == "agent/killed"
    account.ok("stop", "killed")
    account.ok("rm", "-f", "killed")
    assert not any("killed" in name for name in [*account.volumes(), *account.containers()])


def test_a_dry_run_tells_of_the_clone_and_changes_nothing(house: Host, app: Path) -> None:
    before = (house.account.volumes(), house.git(app, "for-each-ref").out)
    told = house.account.ok("start", "--dry-run", "-a", "shell", "--clone", "-n", "dry", cwd=app)
    assert f"{app} at /workspace/app, a clone on the branch agent/dry" in told
    assert (house.account.volumes(), house.git(app, "for-each-ref").out) == before


def test_every_kind_of_repository_is_cloned_or_refused_in_words(house: Host) -> None:
    account, git = house.account, house.git
    folder = account.home / "kinds"
    top = house.repository(folder / "top")
    (top / "sub").mkdir()
    (top / "sub" / "x").write_text("x")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "sub")
    git(top, "worktree", "add", "-q", "-b", "tree", str(folder / "tree"))
    git(folder, "clone", "-q", "--bare", str(top), "bare.git")
    git(folder, "clone", "-q", "--depth=1", f"file://{top}", "shallow")
    git(folder, "clone", "-q", "--shared", str(top), "shared")
    git(folder, "init", "-q", "empty")
    expected = {
        "tree": ("tree", "git rev-list --count HEAD", "2"),
        "top/sub": ("top", "git rev-list --count HEAD", "2"),
        "bare.git": ("bare", "git rev-list --count HEAD", "2"),
        "shallow": ("shallow", "git rev-list --count HEAD; git fsck --no-dangling 2>&1", "1"),
        "shared": ("shared", "git rev-list --count HEAD; ls .git/objects/info", "2"),
        "empty": ("empty", "git symbolic-ref HEAD", "refs/heads/agent/k-empty"),
        "top#tree": ("top", "git rev-list --count HEAD", "2"),
    }
    for typed, (name, script, answer) in expected.items():
        session = f"k-{name}" if "#" not in typed and "/" not in typed else f"k-{name}-2"
        account.run("stop", session)
        account.run("rm", "-f", session)
        account.ok("start", "-d", "-a", "shell", "--clone", "-n", session, folder / typed)
        assert inside(house, session, script, f"/workspace/{name}") == answer, typed
        assert inside(house, session, "git status --short", f"/workspace/{name}") == ""
    git(folder, "clone", "-q", "--filter=blob:none", f"file://{top}", "partial", ok=False)
    done = account.run("start", "-d", "-a", "shell", "--clone", "-n", "k-partial", folder / "partial")
    assert "partial clone" in done.err or "warning: filtering not recognized" in done.err, done


def test_a_file_url_and_a_branch_are_where_a_clone_starts(house: Host, app: Path) -> None:
    house.git(app, "branch", "-f", "old", "v1~1")
    house.account.ok("start", "-d", "-a", "shell", "-n", "url", f"file://{app}#old")
    assert inside(house, "url", "git rev-list --count HEAD; git status --short") == "1"


@pytest.mark.long
def test_ten_sessions_cloned_at_once_lose_no_difference(house: Host) -> None:
    account = house.account
    top = house.repository(account.home / "ten")
    names = [f"ten{number}" for number in range(1, 11)]
    begun = [account.begin("start", "-d", "-a", "shell", "--clone", "-n", name, top) for name in names]
    ended = [
        (name, *one.communicate(timeout=COMMAND_SECONDS), one.returncode)
        for name, one in zip(names, begun, strict=True)
    ]
    assert [one for one in ended if one[-1]] == []
    for name in names:
        work = f"set -e; echo {name} >file; git commit -qam {name}; echo {name} >by; echo {name} >>file"
        inside(house, name, work, "/workspace/ten")
    fetched = [account.begin("fetch", "--uncommitted", name) for name in names]
    told = [one.communicate(timeout=COMMAND_SECONDS) for one in fetched]
    assert [words for words, one in zip(told, fetched, strict=True) if one.returncode] == []
    for name in names:
        assert house.git(top, "show", f"agent/{name}:file").out == f"{name}\n"
        assert house.git(top, "show", f"agent/{name}-uncommitted:file").out == f"{name}\n{name}\n"
        assert house.git(top, "show", f"agent/{name}-uncommitted:by").out == f"{name}\n"
    assert house.git(top, "status", "--short").out == ""
    assert house.git(top, "fsck", "--no-dangling").code == 0
    for name in names:
        account.ok("stop", name)
        account.ok("rm", "-f", "--discard-work", name)  # it is fetched, which rm does not know of changes
    assert house.git(top, "for-each-ref", "refs/agent-session").out == ""
