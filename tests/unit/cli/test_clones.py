"""Clones from start to fetch, diff and apply, with git itself and the clone program on directories of this
machine.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent_session.engine.command import ExecResult
from tests.fake_clones import Volumes
from tests.unit.machine import Machine

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="there is no git")


class Desk:
    """A machine with a repository in its project, and clones of it in sessions."""

    def __init__(self, machine: Machine, volumes: Volumes) -> None:
        self.machine, self.volumes, self.here = machine, volumes, machine.project
        self.git("init", "-q", "-b", "main")
        self.write(self.here, {"file": "one\ntwo\nthree\n", "deep/x": "x\n", "gone": "gone\n"})
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")

    def write(self, top: Path, files: dict[str, str]) -> None:
        for name, content in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(content)

    def git(self, *words: str, cwd: Path | None = None, ok: bool = True) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        done = subprocess.run(
            ["git", *who, *words], cwd=cwd or self.here, capture_output=True, text=True, check=False
        )
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, name: str = "a1", *words: str) -> Path:
        self.machine.ok("start", "-d", "-a", "shell", "--build", "-n", name, "--clone", *words)
        return self.clone(name)

    def clone(self, name: str = "a1", project: str = "app") -> Path:
        return self.volumes.workspace(name) / project

    def commit(self, clone: Path, files: dict[str, str], message: str = "work") -> str:
        self.write(clone, files)
        self.git("add", "-A", cwd=clone)
        self.git("commit", "-q", "-m", message, cwd=clone)
        return self.git("rev-parse", "HEAD", cwd=clone)

    def tree(self) -> dict[str, str]:
        files = (path for path in self.here.rglob("*") if ".git" not in path.parts and not path.is_dir())
        return {
            str(path.relative_to(self.here)): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in files
        }

    def state(self) -> tuple[str, str, dict[str, str]]:
        """All of the user's that git or we could change."""
        return self.git("for-each-ref"), self.git("status", "--porcelain"), self.tree()


@pytest.fixture
def desk(machine: Machine, tmp_path: Path) -> Desk:
    volumes = Volumes(folder=tmp_path / "volumes")
    machine.engine.one_offs = volumes
    return Desk(machine, volumes)


def test_a_clone_is_on_its_own_branch_with_the_branches_of_the_host(desk: Desk) -> None:
    desk.git("branch", "other")
    clone = desk.start()
    assert desk.git("status", "--porcelain", "--branch", cwd=clone) == "## agent/a1"
    assert desk.git("branch", "--format=%(refname:short)", cwd=clone).split() == ["agent/a1", "main", "other"]
    (listed,) = desk.machine.listed()
    assert listed["projects"] == [
        {
            "source": str(desk.here),
            "target": "/workspace/app",
            "read_only": False,
            "clone": {
                "branch": "agent/a1",
                "started_from": None,
                "start": desk.git("rev-parse", "HEAD"),
                "borrows_objects": True,
            },
        }
    ]


def test_changes_stay_and_are_counted_unless_they_are_to_come_along(desk: Desk) -> None:
    desk.write(desk.here, {"file": "mine\n", "new": "new\n"})
    desk.git("rm", "-q", "gone")
    before = desk.git("status", "--porcelain")
    ran = desk.machine("start", "-d", "-a", "shell", "--build", "-n", "bare", "--clone")
    assert "3 uncommitted changes stay" in ran.err
    assert desk.git("status", "--porcelain", cwd=desk.clone("bare")) == ""
    clone = desk.start("full", "--with-changes")
    assert desk.git("status", "--porcelain", cwd=clone) == before
    assert desk.machine.ok("diff", "full") == ""
    assert desk.git("status", "--porcelain") == before


def test_the_commits_of_a_session_become_a_branch_here(desk: Desk) -> None:
    clone = desk.start()
    desk.commit(clone, {"file": "ours\n"}, "one")
    tip = desk.commit(clone, {"more": "more\n"}, "two")
    before = desk.tree()
    ran = desk.machine("fetch", "a1")
    assert (ran.code, ran.out) == (0, "agent/a1\n")
    assert "2 commits" in ran.err
    assert f"git -C {desk.here} merge agent/a1" in ran.err
    assert desk.git("rev-parse", "agent/a1") == tip
    assert desk.tree() == before
    assert desk.git("fsck", "--strict") == ""
    assert json.loads(desk.machine.ok("fetch", "a1", "--json"))[0]["commits"] == 0
    desk.git("merge", "-q", "agent/a1")
    assert desk.tree()["file"] == "ours\n"


def test_a_branch_is_never_moved_back_or_aside_unless_one_insists(desk: Desk) -> None:
    clone = desk.start()
    first = desk.commit(clone, {"file": "1\n"})
    desk.machine.ok("fetch", "a1")
    desk.git("commit", "-q", "--amend", "-m", "rewritten", cwd=clone)
    ran = desk.machine("fetch", "a1")
    assert ran.code == 5
    assert "1 commits that the session's does not have" in ran.err
    assert desk.git("rev-parse", "agent/a1") == first
    desk.machine.ok("fetch", "a1", "--branch", "agent/a1-2")
    desk.machine.ok("fetch", "a1", "--force")
    assert desk.git("rev-parse", "agent/a1") == desk.git("rev-parse", "agent/a1-2") != first
    assert desk.git("rev-parse", "agent/a1@{1}") == first
    desk.git("switch", "-q", "agent/a1")
    desk.commit(clone, {"file": "2\n"})
    assert "is checked out in" in desk.machine("fetch", "a1").err
    assert desk.machine("fetch", "a1", "--branch", "main").code == 0
    assert desk.machine("fetch", "a1", "--branch", "../x").code == 2


def test_what_is_not_committed_is_named_and_comes_on_a_branch_of_its_own(desk: Desk) -> None:
    clone = desk.start()
    desk.commit(clone, {"file": "1\n"})
    desk.write(clone, {"file": "2\n", "new": "new\n"})
    ran = desk.machine("fetch", "a1")
    assert "2 files are not committed" in ran.err
    assert desk.machine.ok("fetch", "a1", "--uncommitted").split() == ["agent/a1", "agent/a1-uncommitted"]
    assert desk.git("diff", "--name-only", "agent/a1", "agent/a1-uncommitted").split() == ["file", "new"]
    desk.write(clone, {"new": "newer\n"})
    desk.machine.ok("fetch", "a1", "--uncommitted")
    assert desk.git("show", "agent/a1-uncommitted:new") == "newer"
    assert desk.git("status", "--porcelain", cwd=clone) == "M file\n?? new"


def test_other_branches_of_the_session_are_named_and_can_be_had(desk: Desk) -> None:
    clone = desk.start()
    desk.git("switch", "-q", "-c", "feature", cwd=clone)
    feature = desk.commit(clone, {"feature": "1\n"})
    desk.git("switch", "-q", "agent/a1", cwd=clone)
    own = desk.commit(clone, {"own": "1\n"})
    ran = desk.machine("fetch", "a1")
    assert "not fetched: feature, 1 commits: agent-session fetch a1 --from feature" in ran.err
    assert desk.machine.ok("fetch", "a1", "--from", "feature") == "agent/a1-feature\n"
    tips = desk.git("rev-parse", "agent/a1", "agent/a1-feature").split()
    assert tips == [own, feature]
    assert desk.machine("fetch", "a1", "--from", "nothing").code != 0
    desk.git("switch", "-q", "--detach", cwd=clone)
    detached = desk.commit(clone, {"own": "2\n"})
    desk.machine.ok("fetch", "a1")
    assert desk.git("rev-parse", "agent/a1") == detached


def test_a_difference_is_all_since_the_start(desk: Desk) -> None:
    desk.write(desk.here, {"deep/x": "mine\n"})
    clone = desk.start("a1", "--with-changes")
    desk.commit(clone, {"file": "one\nTWO\nthree\n"})
    desk.write(clone, {"new": "new\n"})
    (clone / "gone").unlink()
    shown = desk.machine.ok("diff", "a1")
    assert "-two\n+TWO\n" in shown
    assert "deep/x" not in shown
    (listed,) = json.loads(desk.machine.ok("diff", "a1", "--json"))
    assert [(one["path"], one["status"], one["added"], one["removed"]) for one in listed["files"]] == [
        ("file", "modified", 1, 1),
        ("gone", "deleted", 0, 1),
        ("new", "added", 1, 0),
    ]
    assert "new" not in desk.machine.ok("diff", "a1", "file")
    assert "3 files changed" in desk.machine.ok("diff", "a1", "--stat")
    assert desk.git("status", "--porcelain") == "M deep/x"


def test_changes_are_applied_uncommitted_and_merged_with_ones_own(desk: Desk) -> None:
    clone = desk.start()
    desk.commit(clone, {"file": "one\ntwo\nTHREE\n", "a/new": "new\n"})
    (clone / "gone").unlink()
    (clone / "run").write_text("#!/bin/sh\n")
    (clone / "run").chmod(0o755)
    (clone / "link").symlink_to("deep/x")
    desk.write(desk.here, {"file": "ONE\ntwo\nthree\n"})
    told = desk.machine.ok("apply", "a1", "--dry-run").split()
    assert told == ["a/new", "file", "gone", "link", "run"]
    assert desk.git("status", "--porcelain") == "M file"
    assert desk.machine.ok("apply", "a1").split() == told
    assert desk.tree() == {
        "file": "ONE\ntwo\nTHREE\n",
        "a/new": "new\n",
        "run": "#!/bin/sh\n",
        "link": "deep/x",
        "deep/x": "x\n",
    }
    assert os.access(desk.here / "run", os.X_OK)
    assert desk.git("diff", "--cached") == ""
    assert desk.machine.ok("apply", "a1") == ""


def test_nothing_is_applied_where_something_would_be_lost(desk: Desk) -> None:
    clone = desk.start()
    desk.commit(clone, {"file": "theirs\n", "new": "theirs\n", "fine": "fine\n"})
    (clone / "gone").unlink()
    for mine in ({"file": "mine\n"}, {"new": "mine\n"}, {"gone": "mine\n"}, {"new/x": "mine\n"}):
        desk.git("checkout", "-q", ".")
        desk.git("clean", "-fdq")
        desk.write(desk.here, mine)
        before = desk.state()
        ran = desk.machine("apply", "a1")
        assert (ran.code, desk.state()) == (5, before), mine
        assert "nothing was applied" in ran.err
    assert desk.machine.ok("apply", "a1", "--only", "fine") == "fine\n"


def test_links_that_lead_out_are_refused_and_what_runs_by_itself_is_named(desk: Desk) -> None:
    clone = desk.start()
    desk.write(clone, {".envrc": "touch /tmp/x\n", ".vscode/tasks.json": "{}\n"})
    told = desk.machine("apply", "a1", "--dry-run").err
    assert "warning: .envrc runs by itself" in told
    assert "warning: .vscode/tasks.json runs by itself" in told
    for target in ("/etc/passwd", "../../x", "deep/../../x", ".git/config", "deep/../.GIT/hooks"):
        (clone / "link").symlink_to(target)
        before = desk.state()
        ran = desk.machine("apply", "a1")
        assert (ran.code, desk.state()) == (5, before), target
        (clone / "link").unlink()
    outside = desk.here.parent / "outside"
    outside.mkdir()
    shutil.rmtree(desk.here / "deep")
    (desk.here / "deep").symlink_to(outside)
    desk.write(clone, {"deep/x": "through a link\n"})
    assert desk.machine("apply", "a1").code == 5
    assert list(outside.iterdir()) == []


def test_ten_sessions_on_one_repository_lose_no_difference(desk: Desk) -> None:
    names = [f"a{number}" for number in range(1, 11)]
    for name in names:
        clone = desk.start(name)
        desk.commit(clone, {f"by-{name}": name, "file": f"{name}\n"})
    for name in names:
        desk.machine.ok("fetch", name)
    for name in names:
        assert desk.git("show", f"agent/{name}:by-{name}", f"agent/{name}:file") == f"{name}{name}"
    assert desk.git("for-each-ref", "--format=%(refname)", "refs/heads/agent").count("agent/") == 10


def test_several_clones_of_a_session_are_told_apart(desk: Desk) -> None:
    other = desk.machine.directory("other")
    desk.git("init", "-q", "-b", "main", cwd=other)
    desk.write(other, {"x": "x\n"})
    desk.git("add", "-A", cwd=other)
    desk.git("commit", "-q", "-m", "other", cwd=other)
    desk.start("both", str(desk.here), str(other))
    tip = desk.commit(desk.clone("both", "other"), {"x": "y\n"})
    desk.commit(desk.clone("both"), {"file": "y\n"})
    assert desk.machine.ok("fetch", "both", "other") == "agent/both\n"
    assert desk.git("rev-parse", "agent/both", cwd=other) == tip
    assert desk.git("branch", "--list", "agent/*") == ""
    assert "file" not in desk.machine.ok("diff", "both", "other")
    assert len(json.loads(desk.machine.ok("fetch", "both", "--json"))) == 2
    assert desk.machine("diff", "both", "other", "x").code == 0
    assert desk.machine("fetch", "both", "third").code == 2


def test_a_session_without_a_clone_says_where_its_changes_are(desk: Desk) -> None:
    desk.machine.ok("start", "-d", "-a", "shell", "--build", "-n", "mounted")
    for verb in ("diff", "fetch", "apply"):
        ran = desk.machine(verb, "mounted")
        assert ran.code == 2
        assert f"git -C {desk.here} diff HEAD" in ran.err


def test_a_clone_comes_back_where_its_directory_is(desk: Desk) -> None:
    desk.start("a1")
    assert desk.machine.ok("start", "-d", "-n", "a1", "--clone") == "a1\n"
    assert desk.machine.ok("start", "-d") == "a1\n"
    elsewhere = desk.machine.directory("elsewhere")
    assert desk.machine("start", "-d", "-n", "a1", str(elsewhere)).code == 5


def test_the_configuration_and_the_environment_choose_clones(
    desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / ".config/agent-session/config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("isolation: clone\n")
    desk.machine.ok("start", "-d", "-a", "shell", "--build", "-n", "one")
    assert desk.clone("one").is_dir()
    file.write_text("isolation: mount\n")
    monkeypatch.setenv("AGENT_SESSION_CLONE", "1")
    desk.machine.ok("start", "-d", "-a", "shell", "--build", "-n", "two")
    assert desk.clone("two").is_dir()
    file.write_text("isolation: other\n")
    assert desk.machine("ls").code == 3


def test_what_is_exported_borrows_nothing(desk: Desk, tmp_path: Path) -> None:
    clone = desk.start()
    tip = desk.commit(clone, {"file": "ours\n"})
    desk.machine.ok("export", "a1", str(tmp_path / "a1.tar.zst"))
    assert not (clone / ".git/objects/info/alternates").exists()
    shutil.rmtree(desk.here / ".git")
    assert desk.git("fsck", "--full", "--no-dangling", cwd=clone) == ""
    assert desk.git("rev-parse", "HEAD", cwd=clone) == tip


def test_the_work_of_an_imported_clone_comes_back_where_one_says(desk: Desk, tmp_path: Path) -> None:
    clone, archive = desk.start(), tmp_path / "a1.tar.zst"
    desk.commit(clone, {"file": "ours\n"})
    desk.write(clone, {"left": "left\n"})
    desk.machine.ok("export", "a1", str(archive))
    assert str(desk.here).encode() not in archive.read_bytes()
    shutil.copytree(desk.volumes.workspace("a1"), desk.volumes.workspace("b1"), symlinks=True)
    desk.machine.ok("start", "-d", "--import", str(archive), "-n", "b1", "--no-projects")
    refused = desk.machine("fetch", "b1")
    assert (refused.code, "made from an archive" in refused.err) == (2, True)
    assert desk.machine.ok("fetch", "b1", "--into", str(desk.here)) == "agent/b1\n"
    assert desk.git("show", "agent/b1:file") == "ours"
    listed = json.loads(desk.machine.ok("diff", "b1", "--json"))
    assert [one["path"] for one in listed[0]["files"]] == ["file", "left"]
    desk.machine.ok("apply", "b1", "--into", str(desk.here))
    assert desk.tree()["left"] == "left\n"
    held = {"path": "/workspace/app", "branches": [], "changes": 1, "stashes": 0, "problem": ""}
    answer = {"repositories": [held], "files": [], "more_files": 0, "conversations": 0}
    desk.machine.engine.one_offs = lambda *_: ExecResult(exit_code=0, stdout=json.dumps(answer).encode())
    assert "fetch b1 --uncommitted --into DIRECTORY" in desk.machine("stop", "b1").err


def test_the_whole_history_comes_to_a_repository_that_has_none_of_it(desk: Desk, tmp_path: Path) -> None:
    tip = desk.commit(desk.start(), {"file": "ours\n"})
    other = tmp_path / "other"
    desk.git("init", "-q", str(other))
    desk.machine.ok("fetch", "a1", "--into", str(other))
    assert desk.git("rev-parse", "agent/a1", cwd=other) == tip
    assert desk.git("rev-list", "--count", "agent/a1", cwd=other) == "2"
    assert desk.git("fsck", "--full", cwd=other) == ""


def test_what_was_taken_along_and_is_committed_as_it_was_comes_whole(desk: Desk) -> None:
    desk.write(desk.here, {"file": "mine\n", "new": "new\n"})
    clone = desk.start("a1", "--with-changes")
    desk.commit(clone, {}, "as it was")
    desk.git("repack", "-aq", "--write-bitmap-index", cwd=clone)
    desk.machine.ok("fetch", "a1")
    assert desk.git("show", "agent/a1:new") == "new"
    assert desk.git("fsck", "--full", "--no-dangling") == ""


def test_stop_and_status_tell_what_was_not_fetched(desk: Desk) -> None:
    desk.start()
    desk.machine.ok("start", "-d", "-a", "shell", "-n", "mounted")
    branch = {"name": "agent/a1", "commits": 2}
    held = {"path": "/workspace/app", "branches": [branch], "changes": 1, "stashes": 0, "problem": ""}
    answer = {"repositories": [held], "files": ["x"], "more_files": 0, "conversations": 0}
    desk.machine.engine.one_offs = lambda *_: ExecResult(exit_code=0, stdout=json.dumps(answer).encode())
    line = "/workspace/app: 2 commits of agent/a1 not fetched, 1 uncommitted change"
    assert json.loads(desk.machine.ok("status", "a1", "--json"))["unfetched"] == [line]
    assert f"not fetched:{line:>{len(line) + 11}}" in desk.machine.ok("status", "a1")
    assert json.loads(desk.machine.ok("status", "mounted", "--json"))["unfetched"] == []
    stopped = desk.machine("stop", "a1", "mounted")
    assert (line in stopped.err, "agent-session fetch a1 --uncommitted" in stopped.err) == (True, True)
    assert "fetch mounted" not in stopped.err
