"""What an agent leaves in a git directory, for git on the host to obey or to write through, is told."""

import os
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from agent_session.workspace import git_state, review, verdict
from agent_session.workspace.projects import Project
from tests.unit.workspace.test_review import NAME, Work, git
from tests.unit.workspace.test_review import work as work

LINKS = [
    "COMMIT_EDITMSG",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "MERGE_MSG",
    "SQUASH_MSG",
    "AUTO_MERGE",
    "BISECT_LOG",
    "gc.log",
    "index",
    "index.lock",
    "packed-refs",
    "shallow",
    "logs/HEAD",
    "logs/refs/heads/main",
    "logs/refs/heads/new",
    "logs/refs/remotes",
    "refs/heads/new",
    "refs/stash",
    "info/exclude",
    "info/sparse-checkout",
    "info/refs",
    "objects/info/commit-graph",
    "objects/pack/x.pack",
    "objects/ab",
    "logs/refs/heads/objects/ab/x",
    "rebase-merge/git-rebase-todo",
    "rebase-apply",
    "sequencer/todo",
    "worktrees/w/COMMIT_EDITMSG",
    "worktrees/w/logs/HEAD",
    "modules/sub/FETCH_HEAD",
    "modules/sub/logs/HEAD",
    "modules/deep/er/index",
    "lfs",
    "description",
    "any.name",
]


def put(path: Path, make: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize("name", LINKS)
def test_a_link_that_git_would_write_through_is_told(work: Work, tmp_path: Path, name: str) -> None:
    work.begin()
    if (work.app / ".git" / name).is_dir():
        (work.app / ".git" / name).rename(tmp_path / "away")
    put(work.app / ".git" / name, lambda path: path.symlink_to(tmp_path / "bashrc"))
    changes = [one for one in work.review().changes if one.path == f".git/{name}"]
    assert [one.kind for one in changes] == ["new"]
    assert str(tmp_path / "bashrc") in changes[0].why


def test_a_link_that_was_there_is_not_told_until_it_leads_elsewhere(work: Work) -> None:
    link = work.app / ".git" / "mine"
    link.symlink_to("description")
    work.begin()
    assert work.told() == {}
    link.unlink()
    link.symlink_to("/home/you/.bashrc")
    assert work.told() == {".git/mine": "new"}


def test_a_pipe_that_git_would_wait_at_is_told(work: Work) -> None:
    work.begin()
    put(work.app / ".git" / "FETCH_HEAD", os.mkfifo)
    assert work.told() == {".git/FETCH_HEAD": "new"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[core]\n\tfsmonitor = "touch ~/PWNED"\n', "core.fsmonitor"),
        ("[core]\nhooksPath=/workspace/app/h\n", "core.hookspath"),
        ("[include] path = ../evil\n", "include.path"),
        ('[includeIf "gitdir:/"] path = ../evil\n', "includeif.gitdir:/.path"),
        ('[filter "x"]\nclean = evil\n', "filter.x.clean"),
        ("[alias]\nst = !evil\n", "alias.st"),
        ('[url "https://evil.example/"]\ninsteadOf = https://\n', "url.https://evil.example/.insteadof"),
        ("[http]\nsslVerify = false\n", "http.sslverify"),
        ("[protocol]\nallow = always\n", "protocol.allow"),
        ("[credential]\nhelper = !evil\n", "credential.helper"),
    ],
)
@pytest.mark.parametrize(
    "file", ["config", "config.worktree", "modules/sub/config", "worktrees/w/config.worktree"]
)
def test_a_key_that_came_into_a_config_is_told(work: Work, file: str, text: str, key: str) -> None:
    work.begin()
    config = work.app / ".git" / file
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text((config.read_text() if config.exists() else "") + text)
    (change,) = work.review().changes
    assert (change.path, change.kind, change.keys) == (f".git/{file}", "changed", (key,))
    assert key in change.why


def test_what_git_writes_into_config_at_work_is_not_told(work: Work, tmp_path: Path) -> None:
    work.begin()
    git(tmp_path, "init", "--quiet", "--bare", "far.git")
    git(work.app, "remote", "add", "origin", str(tmp_path / "far.git"))
    git(work.app, "push", "--quiet", "--set-upstream", "origin", "main")
    git(work.app, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    git(work.app, "stash")
    git(work.app, "gc", "--quiet")
    assert work.told() == {}


def test_an_accepted_link_and_key_are_not_told_again(work: Work) -> None:
    work.begin()
    (work.app / ".git" / "mine").symlink_to("/elsewhere")
    git(work.app, "config", "alias.st", "status")
    changes = work.review().changes
    assert {one.path for one in changes} == {".git/mine", ".git/config"}
    verdict.accept(NAME, changes)
    assert work.told() == {}
    git(work.app, "config", "alias.st", "!evil")
    assert work.told() == {".git/config": "changed"}


def test_a_reverted_link_is_kept_elsewhere_and_a_config_is_the_users_to_mend(work: Work) -> None:
    work.begin()
    (work.app / ".git" / "COMMIT_EDITMSG").unlink(missing_ok=True)
    (work.app / ".git" / "COMMIT_EDITMSG").symlink_to("/elsewhere")
    (done,) = verdict.revert(NAME, work.review().changes)
    assert done.kept
    assert done.kept.is_symlink()
    assert work.told() == {}
    git(work.app, "config", "core.fsmonitor", "evil")
    before = (work.app / ".git" / "config").read_text()
    with pytest.raises(
        verdict.CannotRevert, match=r"git config --file .*/\.git/config --unset-all core\.fsmonitor"
    ):
        verdict.revert(NAME, work.review().changes)
    assert (work.app / ".git" / "config").read_text() == before


def test_a_git_directory_elsewhere_is_looked_at_too(work: Work, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(work.app, "worktree", "add", "--quiet", str(tree))
    work.projects = [Project(source=tree, target=PurePosixPath("/workspace/tree"))]
    work.begin()
    (work.app / ".git" / "FETCH_HEAD").symlink_to("/elsewhere")
    assert work.told() == {str(work.app / ".git" / "FETCH_HEAD"): "new"}
    verdict.revert(NAME, work.review().changes)
    assert not (work.app / ".git" / "FETCH_HEAD").is_symlink()


def test_git_directories_that_are_left_to_the_agent_are_not_told(work: Work) -> None:
    work.begin(left_out=(".git",))
    (work.app / ".git" / "FETCH_HEAD").symlink_to("/elsewhere")
    assert work.told() == {}


def test_a_million_names_end_the_look_and_that_is_told(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.begin()
    monkeypatch.setattr(git_state, "MOST_ENTRIES", 500)
    for number in range(500):
        (work.app / ".git" / "refs" / f"{number}").touch()
    assert not review.look(NAME, work.projects).complete


def test_a_look_at_an_ordinary_repository_takes_no_time(work: Work) -> None:
    begun = time.monotonic()
    git_state.look(work.app / ".git", deadline=begun + 5)
    assert time.monotonic() - begun < 0.2
