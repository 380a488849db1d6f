"""What differs from a session's baseline: told whatever the agent does,
and not told where it is git's own doing.
"""

import os
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from agent_session.host import file_access, paths
from agent_session.workspace import baseline, review, scan, verdict
from agent_session.workspace.projects import Project
from agent_session.workspace.verdict import CannotRevert

NAME = "web"


def git(directory: Path, *arguments: str, ok: bool = True) -> str:
    identity = [word for key in ("name", "email") for word in ("-c", f"user.{key}=x")]
    command = ["git", *identity, "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=directory, check=ok, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass
class Work:
    """A project of a session, and what is told of it."""

    app: Path
    projects: list[Project]

    def begin(self, *, mode: str = "review", left_out: tuple[str, ...] = ()) -> None:
        found = scan.protect(self.projects, left_out, mode=mode)
        baseline.record(NAME, self.projects, found.watched, mode=mode, left_out=left_out)

    def write(self, path: str, text: str = "evil") -> Path:
        file = self.app / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, text: str = "x") -> None:
        git(self.app, "add", "-A")
        git(self.app, "commit", "--quiet", "--allow-empty", "-m", text)

    def review(self) -> review.Review:
        return review.look(NAME, self.projects)

    def told(self) -> dict[str, str]:
        return {change.path: change.kind for change in self.review().changes}

    def count(self) -> int:
        return review.count(NAME, self.projects, deadline=time.monotonic() + 5)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app = tmp_path / "app"
    app.mkdir()
    git(app, "init", "--quiet", "-b", "main")
    work = Work(app, [Project(source=app, target=PurePosixPath("/workspace/app"))])
    work.write(".vscode/settings.json", "{}\n")
    work.write(".claude/settings.json", '{"deny": []}\n')
    work.write("src/code.py", "code")
    work.commit("one")
    return work


def test_nothing_is_told_of_a_session_that_changed_nothing(work: Work) -> None:
    work.begin()
    work.write("src/code.py", "other")
    work.write("Makefile")
    assert (work.told(), work.count()) == ({}, 0)


def test_a_changed_file_is_told_with_what_runs_it_and_when(work: Work) -> None:
    work.begin()
    work.write(".vscode/settings.json")
    (change,) = work.review().changes
    assert (change.path, change.kind, change.host_path) == (
        ".vscode/settings.json",
        "changed",
        work.app / ".vscode/settings.json",
    )
    assert "VS Code" in change.why
    assert "editor" in change.when
    assert work.count() == 1


@pytest.mark.parametrize(
    "path",
    [
        ".envrc", "mise.toml", ".vimrc", ".dir-locals.el",
        "rust-toolchain.toml", ".cargo/config.toml", ".mcp.json",
        "my project.code-workspace", ".github/hooks/x.json", ".kiro/settings/mcp.json",
        ".hg/hgrc", ".mvn/jvm.config",
        ".agents/plugins/x", ".claude-plugin/plugin.json", ".pi/extensions/x.ts",
        ".qwen/settings.json", ".roo/mcp.json",
        ".windsurf/hooks.json", ".vs/tasks.vs.json", ".fleet/run.json",
        ".pre-commit-config.yaml", "opencode.json",
    ],
)  # fmt: skip
def test_a_new_file_of_the_list_is_told(work: Work, path: str) -> None:
    work.begin()
    work.write(path)
    (change,) = work.review().changes
    assert (change.path, change.kind) == (path, "new")
    assert change.why


def test_a_new_directory_is_told_once_with_its_files(work: Work) -> None:
    work.begin()
    work.write(".husky/_/husky.sh")
    work.write(".husky/pre-commit")
    (change,) = work.review().changes
    assert (change.path, change.kind, change.files) == (".husky", "new", 2)


def test_what_is_removed_is_told(work: Work) -> None:
    work.begin()
    (work.app / ".claude" / "settings.json").unlink()
    assert work.told() == {".claude/settings.json": "removed"}


def test_a_file_that_only_becomes_executable_is_told(work: Work) -> None:
    file = work.write(".husky/pre-commit", "#!/bin/sh\n")
    work.begin()
    file.chmod(0o755)
    assert work.told() == {".husky/pre-commit": "changed"}


def test_times_that_are_set_back_hide_nothing(work: Work) -> None:
    file = work.app / ".vscode" / "settings.json"
    work.begin()
    before = file.stat()
    file.write_text("[]\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert work.told() == {".vscode/settings.json": "changed"}


def test_a_file_that_is_written_with_the_same_content_is_not_told(work: Work) -> None:
    work.begin()
    work.write(".vscode/settings.json", "{}\n")
    assert work.told() == {}


def test_repositories_below_and_what_is_left_out(work: Work) -> None:
    nested = work.app / "packages" / "one"
    nested.mkdir(parents=True)
    git(nested, "init", "--quiet")
    work.begin(left_out=(".idea",))
    work.write("packages/one/.envrc")
    work.write(".idea/workspace.xml")
    assert work.told() == {"packages/one/.envrc": "new"}


def test_claudes_worktrees_are_work_and_what_is_in_them_counts_as_theirs(work: Work) -> None:
    work.begin()
    git(work.app, "worktree", "add", "--quiet", ".claude/worktrees/x")
    assert work.told() == {}


# The repository's own history


def test_what_another_branch_had_is_taken_over_unasked(work: Work) -> None:
    git(work.app, "switch", "--quiet", "-c", "feature")
    work.write(".vscode/settings.json", '{"feature": 1}\n')
    work.write(".envrc", "feature\n")
    work.commit("feature")
    git(work.app, "switch", "--quiet", "main")
    work.begin()
    git(work.app, "switch", "--quiet", "feature")
    assert work.told() == {}
    git(work.app, "switch", "--quiet", "main")
    assert work.told() == {}
    work.write(".envrc", "evil")
    assert work.told() == {".envrc": "new"}


def test_what_a_former_commit_had_is_taken_over_unasked(work: Work) -> None:
    for number in range(5):
        work.write(".envrc", f"{number}\n")
        work.commit(str(number))
    work.begin()
    git(work.app, "reset", "--quiet", "--hard", "HEAD~3")
    assert (work.app / ".envrc").read_text() == "1\n"
    assert (work.told(), work.count()) == ({}, 0)


def test_what_is_only_removed_by_a_switch_is_not_told(work: Work) -> None:
    work.write(".envrc", "x")
    work.commit("two")
    git(work.app, "branch", "old", "HEAD~1")
    work.begin()
    git(work.app, "switch", "--quiet", "old")
    assert work.told() == {}


def test_what_the_agent_commits_or_fetches_is_told(work: Work) -> None:
    work.begin()
    work.write(".envrc", "evil")
    work.commit("evil")
    assert work.told() == {".envrc": "new"}
    git(work.app, "switch", "--quiet", "-c", "other", "HEAD~1")
    assert work.told() == {}
    git(work.app, "switch", "--quiet", "main")
    assert work.told() == {".envrc": "new"}


def test_a_forged_object_is_no_history(work: Work) -> None:
    """An agent may write into .git/objects: a commit that was recorded is given the tree of another one."""
    tip = git(work.app, "rev-parse", "HEAD")
    work.begin()
    work.write(".envrc", "evil")
    work.commit("evil")
    evil = git(work.app, "rev-parse", "HEAD")
    objects = work.app / ".git" / "objects"
    target = objects / tip[:2] / tip[2:]
    target.chmod(0o644)
    target.write_bytes((objects / evil[:2] / evil[2:]).read_bytes())
    (work.app / ".git" / "refs" / "heads" / "main").write_text(f"{tip}\n")
    assert work.told()[".envrc"] == "new"


def test_a_graft_or_a_replacement_is_no_history(work: Work) -> None:
    tip = git(work.app, "rev-parse", "HEAD")
    work.begin()
    work.write(".envrc", "evil")
    work.commit("evil")
    evil = git(work.app, "rev-parse", "HEAD")
    git(work.app, "replace", tip, evil, ok=False)
    (work.app / ".git" / "info").mkdir(exist_ok=True)
    (work.app / ".git" / "info" / "grafts").write_text(f"{tip} {evil}\n")
    assert work.told()[".envrc"] == "new"


def test_a_repository_whose_objects_cannot_be_read_is_told_and_makes_nobody_wait(work: Work) -> None:
    work.begin()
    subprocess.run(["rm", "-rf", work.app / ".git" / "objects"], check=True)
    os.mkfifo(work.app / ".git" / "objects")
    work.write(".envrc")
    begun = time.monotonic()
    assert work.told() == {".envrc": "new", ".git/objects": "new"}
    assert time.monotonic() - begun < 5


# What the agent puts in the way


@pytest.mark.parametrize("kind", ["fifo", "link", "socket", "directory"])
def test_something_else_in_the_place_of_a_file_is_told_and_not_followed(
    work: Work, kind: str, tmp_path: Path
) -> None:
    import socket

    (tmp_path / "secret").write_text("secret")
    work.begin()
    file = work.app / ".vscode" / "settings.json"
    file.unlink()
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "link":
        file.symlink_to(tmp_path / "secret")
    elif kind == "directory":
        (file / "x").mkdir(parents=True)
        (file / "x" / "y").touch()
    else:
        with socket.socket(socket.AF_UNIX) as one:
            os.chdir(file.parent)
            one.bind(file.name)
    assert ".vscode/settings.json" in {path[:21] for path in work.told()}
    shown = [words for change in work.review().changes for words in verdict.contents(NAME, change)]
    assert b"secret" not in repr(shown).encode().replace(b"/secret", b"")


def test_a_link_above_a_protected_path_is_told(work: Work, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "hooks").mkdir(parents=True)
    (tmp_path / "elsewhere" / "hooks" / "x").touch()
    work.begin()
    (work.app / ".github").symlink_to(tmp_path / "elsewhere")
    (work.app / ".vscode").rename(work.app / "moved")
    (work.app / ".vscode").symlink_to("moved")
    assert {".github", ".vscode"} <= work.told().keys()


def test_what_a_link_in_the_project_leads_to_is_looked_at(work: Work) -> None:
    work.write("tools/editor/tasks.json", "{}")
    (work.app / ".theia").symlink_to("tools/editor")
    work.begin()
    work.write("tools/editor/tasks.json")
    (change,) = work.review().changes
    assert (change.path, "Theia" in change.why) == ("tools/editor/tasks.json", True)


def test_a_million_files_are_told_as_too_many_within_the_time(work: Work) -> None:
    work.begin()
    (work.app / ".vscode" / "many").mkdir()
    for number in range(6000):
        (work.app / ".vscode" / "many" / str(number)).touch()
    begun = time.monotonic()
    found = work.review()
    assert time.monotonic() - begun < 5
    assert not found.complete
    assert ".vscode/many" in {change.path for change in found.changes}
    work.write(".zed/tasks.json")
    assert ".zed/tasks.json" in work.told()


# Repositories


def test_planted_repositories_are_told_with_the_keys_that_run_something(work: Work) -> None:
    work.begin()
    evil = "[core]\n\tfsmonitor = touch /tmp/PWNED\n[include]\n\tpath = fifo\n"
    git(work.app, "init", "--quiet", "src")
    work.write("src/.git/config", evil)
    git(work.app, "init", "--quiet", "--bare", "deep/er/store")
    work.write("pointed/.git", "gitdir: ../store2\n")
    work.write("store2/config", evil)
    found = {change.path: change.keys for change in work.review().changes}
    assert found == {
        "src/.git": ("core.fsmonitor", "include.path"),
        "deep/er/store/HEAD": (),
        "pointed/.git": ("core.fsmonitor", "include.path"),
    }
    assert work.count() == 0


def test_a_repository_at_the_very_top_beside_a_git_directory_without_head(work: Work) -> None:
    work.begin()
    (work.app / ".git" / "HEAD").rename(work.app / ".git" / "x")
    for name in ("objects", "refs"):
        (work.app / name).mkdir()
    work.write("HEAD", "ref: refs/heads/main\n")
    work.write("config", '[core]\n\tbare = false\n\tfsmonitor = "touch PWNED"\n')
    (change,) = work.review().changes
    assert (change.path, change.kind, change.keys) == ("HEAD", "new repository", ("core.fsmonitor",))


def test_a_plain_project_that_becomes_a_repository(tmp_path: Path, work: Work) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    other = Work(plain, [Project(source=plain, target=PurePosixPath("/workspace/plain"))])
    other.begin()
    git(plain, "init", "--quiet")
    git(plain, "config", "core.fsmonitor", "touch PWNED")
    (change,) = other.review().changes
    assert (change.path, change.keys) == (".git", ("core.fsmonitor",))
    verdict.accept(NAME, [change])
    assert other.told() == {}
    assert work.app.is_dir()


def test_strict_tells_only_of_repositories(work: Work) -> None:
    work.begin(mode="strict")
    work.write(".vscode/settings.json")
    git(work.app, "init", "--quiet", "src")
    assert work.told() == {"src/.git": "new repository"}


def test_a_pipe_in_the_place_of_a_config_makes_nobody_wait(work: Work) -> None:
    work.begin()
    for number in range(20):
        (work.app / f"d{number}" / ".git").mkdir(parents=True)
        os.mkfifo(work.app / f"d{number}" / ".git" / "config")
    begun = time.monotonic()
    assert len(work.told()) == 20
    assert time.monotonic() - begun < 2


# Accept and revert


def test_what_is_accepted_is_not_told_any_more_and_what_comes_later_is(work: Work) -> None:
    work.begin()
    work.write(".vscode/settings.json", "mine")
    work.write(".husky/pre-commit", "mine")
    verdict.accept(NAME, work.review().changes)
    assert work.told() == {}
    work.write(".husky/pre-commit", "evil")
    work.write(".husky/post-merge", "evil")
    assert work.told() == {".husky/pre-commit": "changed", ".husky/post-merge": "new"}


def test_single_paths_are_accepted(work: Work) -> None:
    work.begin()
    work.write(".vscode/settings.json")
    work.write(".envrc")
    verdict.accept(NAME, [one for one in work.review().changes if one.path == ".envrc"])
    assert work.told() == {".vscode/settings.json": "changed"}


def test_who_may_use_a_file_may_use_it_when_it_was_reverted(work: Work) -> None:
    file = work.write(".envrc", "good")
    work.begin()
    work.write(".envrc", "evil")
    file.chmod(0o666)
    entries = ((0x01, 6, 2**32 - 1), (0x02, 4, 12345), (0x04, 4, 2**32 - 1), (0x10, 6, 2**32 - 1))
    others = (0x20, 0, 2**32 - 1)
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in (*entries, others))
    try:
        os.setxattr(file, file_access.ACL, acl)
    except OSError:
        acl = b""  # a file system without them
    verdict.revert(NAME, work.review().changes)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("good", 0o660 if acl else 0o664)
    assert not acl or os.getxattr(file, file_access.ACL) == acl


def test_what_is_reverted_is_as_it_was_and_nothing_is_lost(work: Work) -> None:
    hook = work.write(".husky/pre-commit", "#!/bin/sh\n")
    hook.chmod(0o755)
    (work.app / ".theia").symlink_to("src")
    work.begin()
    work.write(".vscode/settings.json", "the agent's")
    work.write(".envrc", "the agent's")
    work.write(".kiro/a/b", "the agent's")
    subprocess.run(["rm", "-rf", work.app / ".husky", work.app / ".theia"], check=True)
    git(work.app, "init", "--quiet", "src")
    done = verdict.revert(NAME, work.review().changes)
    assert work.told() == {}
    assert (work.app / ".vscode" / "settings.json").read_text() == "{}\n"
    assert hook.read_text() == "#!/bin/sh\n"
    assert hook.stat().st_mode & 0o100
    assert str((work.app / ".theia").readlink()) == "src"
    assert not (work.app / ".envrc").exists()
    kept = {one.change.path: one.kept for one in done if one.kept is not None}
    assert kept.keys() == {".vscode/settings.json", ".envrc", ".kiro/a/b", "src/.git"}
    assert kept[".envrc"].read_text() == "the agent's"
    assert paths.review_folder() not in kept[".envrc"].parents, "it outlives the session"
    assert (kept["src/.git"] / "HEAD").exists()


def test_what_was_too_large_to_keep_is_refused_before_anything_is_changed(work: Work) -> None:
    work.write(".vscode/large", "x" * 400_000)
    work.begin()
    work.write(".vscode/large")
    work.write(".vscode/settings.json")
    with pytest.raises(CannotRevert) as refused:
        verdict.revert(NAME, work.review().changes)
    assert refused.value.exit_code == 5
    assert (work.app / ".vscode" / "settings.json").read_text() == "evil"


def test_nothing_is_put_back_through_a_link(work: Work, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    work.begin()
    changes: list[review.Change] = []
    work.write(".vscode/settings.json")
    changes += work.review().changes
    (work.app / ".vscode").rename(work.app / "aside")
    (work.app / ".vscode").symlink_to(tmp_path / "private")
    with pytest.raises(CannotRevert):
        verdict.revert(NAME, changes)
    assert list((tmp_path / "private").iterdir()) == []


def test_the_difference_is_shown(work: Work) -> None:
    work.begin()
    work.write(".vscode/settings.json", "evil\n")
    (change,) = work.review().changes
    assert list(verdict.contents(NAME, change)) == [(".vscode/settings.json", b"{}\n", b"evil\n")]


def test_a_project_that_was_moved_is_compared_as_before(work: Work) -> None:
    work.begin()
    moved = work.app.rename(work.app.parent / "moved")
    work.projects = [Project(source=moved, target=PurePosixPath("/workspace/app"))]
    assert work.told() == {}


def test_a_file_in_two_projects_is_told_once(work: Work) -> None:
    inner = work.app / "pkg"
    inner.mkdir()
    work.projects.append(Project(source=inner, target=PurePosixPath("/workspace/pkg")))
    work.begin()
    work.write("pkg/.vscode/tasks.json")
    git(work.app, "init", "--quiet", "pkg/deep")
    assert sorted((str(one.host_path), one.kind) for one in work.review().changes) == [
        (str(inner / ".vscode/tasks.json"), "new"),
        (str(inner / "deep/.git"), "new repository"),
    ]


def test_a_record_that_somebody_broke_counts_as_none(work: Work) -> None:
    work.begin()
    (paths.review_folder() / NAME / "baseline.json").write_text("[1]")
    assert not work.review().recorded
    assert work.count() == 0


def test_a_list_of_fifty_sessions_costs_little(work: Work) -> None:
    for _ in range(5):
        work.begin()
    assert work.count() == 0
    begun = time.perf_counter()
    for _ in range(50):
        assert work.count() == 0
    assert time.perf_counter() - begun < 0.1
