"""What git would miss in a session is said before it starts, with the way to have it."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from agent_session.workspace import git_missing, git_projects, scan, session_worktrees
from agent_session.workspace.projects import Project


def git(directory: Path, *arguments: str) -> None:
    names = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *names, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "origin"
    path.mkdir()
    git(path, "init", "-q")
    git(path, "commit", "-q", "--allow-empty", "-m", "one")
    return path


def project(path: Path) -> Project:
    return Project(source=path, target=PurePosixPath("/workspace") / path.name)


def test_a_part_of_a_repository_is_said_with_the_repository(origin: Path) -> None:
    part = origin / "packages" / "a"
    part.mkdir(parents=True)
    (line,) = git_missing.notes([project(part)], [])
    assert f"agent-session start {origin}" in line
    assert git_missing.notes([project(part), project(origin)], []) == []
    assert git_missing.notes([project(origin)], []) == []


@pytest.mark.parametrize("how", [["--shared"], ["--reference", "origin"]])
def test_borrowed_objects_are_said_until_they_are_mounted(
    origin: Path, tmp_path: Path, how: list[str]
) -> None:
    git(tmp_path, "clone", "-q", *how, "origin", "clone")
    git(tmp_path, "clone", "-q", "--shared", "clone", "second")
    (line,) = git_missing.notes([project(tmp_path / "clone")], [])
    assert f"AGENT_SESSION_MOUNTS={origin}/.git/objects" in line
    assert len(git_missing.notes([project(tmp_path / "second")], [])) == 2
    assert git_missing.notes([project(tmp_path / "clone")], [origin / ".git" / "objects"]) == []


def test_a_git_directory_elsewhere_is_said_with_the_way_to_have_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--separate-git-dir", "elsewhere.git", "app")
    (tmp_path / "elsewhere.git" / "config").write_text("[core]\n\trepositoryformatversion = 0\n")
    (line,) = scan.protect([project(tmp_path / "app")], mode="review").notes
    assert f"AGENT_SESSION_KOB={tmp_path}/elsewhere.git" in line


def test_a_bare_repository_below_its_pointer_is_no_cause_for_alarm(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    git(tmp_path / "app", "init", "-q", "--bare", ".bare")
    (tmp_path / "app" / ".git").write_text("gitdir: ./.bare\n")
    assert scan.protect([project(tmp_path / "app")], mode="review").notes == ()


@pytest.mark.parametrize("where", [".gitattributes", "data/deep/.gitattributes", ".git/info/attributes"])
def test_filters_that_a_session_lacks_are_named(origin: Path, where: str) -> None:
    (origin / where).parent.mkdir(parents=True, exist_ok=True)
    (origin / where).write_text(
        "# filter=no\n*.bin filter=lfs diff=lfs -text\n*.ipynb filter=nbstripout\n*.key filter=crypt\n"
    )
    git(origin, "config", "filter.crypt.clean", "crypt")
    (found,) = git_projects.describe([project(origin)])
    assert found.filters == ("nbstripout",)
    assert "nbstripout" in git_projects.filter_notes([found])[0]


def test_worktrees_of_a_removed_session_are_forgotten_and_no_others(origin: Path, tmp_path: Path) -> None:
    for name in ("hosts", "gone", "others"):
        git(origin, "worktree", "add", "-q", str(tmp_path / name))
    git(origin, "worktree", "add", "-q", "inside")
    known = origin / ".git" / "worktrees"
    for name, session in (("gone", "one"), ("others", "two")):
        (known / name / "gitdir").write_text(f"/workspace/{name}/.git\n")
        (known / name / "locked").write_text(f"agent-session: in session {session}\n")
    (known / "inside" / "gitdir").write_text("/workspace/origin/inside/.git\n")
    (known / "inside" / "locked").write_text("agent-session: in session one\n")
    (known / "hosts" / "locked").write_text("agent-session: in session one\n")
    session_worktrees.forget([project(origin)], "one")
    assert sorted(path.name for path in known.iterdir()) == ["hosts", "inside", "others"]


def test_a_worktree_that_a_session_made_in_a_project_is_no_cause_for_alarm(origin: Path) -> None:
    git(origin, "worktree", "add", "-q", "inside")
    (origin / "inside" / ".git").write_text("gitdir: /workspace/origin/.git/worktrees/inside\n")
    (origin / ".git" / "worktrees" / "inside" / "gitdir").write_text("/workspace/origin/inside/.git\n")
    found = scan.protect([project(origin)], mode="review")
    assert found.notes == ()
    assert not any("inside" in str(mount.target) for mount in found.mounts)
