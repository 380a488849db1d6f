"""What sessions changed, over HTTP, with git and the clone program on directories of this machine."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fake_clones import Volumes
from tests.fake_engine import FakeEngine
from tests.served import Served

LATER = 5
"""Seconds: git's reflog knows no parts of them, and a test is faster than that."""


def git(top: Path, *words: str, given: str | None = None, later: float = LATER) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    environment = {**os.environ, "GIT_COMMITTER_DATE": f"@{time.time() + later:.0f} +0000"}
    done = subprocess.run(
        ["git", *who, *words],
        cwd=top, env=environment, input=given, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def app(tmp_path: Path, house: FakeEngine) -> Path:
    """A repository of this machine, whose clones are directories as well."""
    house.one_offs = Volumes(folder=tmp_path / "volumes")
    top = tmp_path / "app"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    (top / "file").write_text("one\ntwo\n")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "first", later=-LATER)
    return top


def make(program: httpx2.Client, app: Path, tmp_path: Path, **more: Any) -> Path:
    """A session `web`; returns where its project is."""
    made = program.post("/api/sessions", json={"name": "web", "projects": [str(app)], **more})
    assert made.status_code == 200, made.text
    return app if more else Volumes(folder=tmp_path / "volumes").workspace("web") / "app"


def commit(top: Path, name: str, content: str) -> str:
    (top / name).write_text(content)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", name)
    return git(top, "rev-parse", "HEAD")


def changed(program: httpx2.Client, query: str = "") -> dict[str, str]:
    (project,) = program.get(f"/api/sessions/web/diff{query}").json()
    assert project["problem"] is None
    return {one["path"]: one["status"] for one in project["files"]}


@pytest.mark.parametrize("more", [{}, {"mount": True}], ids=["clone", "mount"])
def test_a_project_is_compared_with_its_start_and_with_its_head(
    program: httpx2.Client, app: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    top = make(program, app, tmp_path, **more)
    assert changed(program) == changed(program, "?against=head") == {}
    commit(top, "committed", "1\n")
    (top / "file").write_text("one\nTWO\n")
    (top / "new").write_text("new\n")
    status = git(top, "status", "--porcelain")
    assert changed(program) == {"committed": "added", "file": "modified", "new": "added"}
    assert changed(program, "?against=head") == {"file": "modified", "new": "added"}
    assert git(top, "status", "--porcelain") == status
    patch = program.get("/api/sessions/web/diff.patch?against=head")
    assert patch.headers["content-type"].startswith("text/x-patch")
    assert "-two\n+TWO\n" in patch.text
    git(top, "stash", "-q", "-u")
    git(top, "apply", "--check", given=patch.text)


def test_a_project_can_be_named_and_one_without_git_says_so(
    program: httpx2.Client, app: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    make(program, app, tmp_path, mount=True, projects=[str(app), str(plain)])
    found = program.get("/api/sessions/web/diff?against=head").json()
    assert [(one["target"], bool(one["problem"])) for one in found] == [
        ("/workspace/app", False),
        ("/workspace/plain", True),
    ]
    (one,) = program.get("/api/sessions/web/diff?project=app").json()
    assert one["source"] == str(app)
    refused = program.get("/api/sessions/web/diff?project=nothing")
    assert (refused.status_code, refused.json()["code"]) == (400, "usage")
    assert "app, plain" in refused.json()["detail"]
    assert program.get("/api/sessions/web/diff?against=yesterday").status_code == 422


def test_commits_are_fetched_and_changes_applied_as_on_the_command_line(
    program: httpx2.Client, app: Path, tmp_path: Path
) -> None:
    clone = make(program, app, tmp_path)
    tip = commit(clone, "ours", "1\n")
    (clone / "file").write_text("one\nTWO\n")
    (fetched,) = program.post("/api/sessions/web/fetch", json={"uncommitted": True}).json()
    assert (fetched["branch"], fetched["tip"], fetched["commits"]) == ("agent/web", tip, 1)
    assert git(app, "rev-parse", "agent/web") == tip
    assert git(app, "show", "agent/web-uncommitted:file") == "one\nTWO"
    git(clone, "commit", "-q", "--amend", "-m", "rewritten")
    refused = program.post("/api/sessions/web/fetch")
    assert refused.status_code == 409
    assert "rewritten" in refused.json()["detail"]
    would = program.post("/api/sessions/web/apply", json={"dry_run": True, "only": ["file"]}).json()
    assert [one["written"] for one in would] == [["file"]]
    assert git(app, "status", "--porcelain") == ""
    assert program.post("/api/sessions/web/apply").status_code == 200
    assert (app / "file").read_text() == "one\nTWO\n"
    assert (app / "ours").read_text() == "1\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [({"into": "relative"}, 400), ({"into": "/not/there"}, 400), ({"project": "nothing"}, 400), ([], 422)],
)
def test_what_cannot_be_fetched_or_applied_is_told(
    program: httpx2.Client, app: Path, tmp_path: Path, body: Any, status: int
) -> None:
    make(program, app, tmp_path)
    for verb in ("fetch", "apply"):
        assert program.post(f"/api/sessions/web/{verb}", json=body).status_code == status


def test_what_this_machine_runs_by_itself_is_reviewed_and_put_back(
    program: httpx2.Client, app: Path, tmp_path: Path
) -> None:
    make(program, app, tmp_path, mount=True)
    assert program.get("/api/sessions/web/review").json() == {
        "recorded": True,
        "complete": True,
        "changes": [],
    }
    (app / ".envrc").write_text("evil\n")
    (found,) = program.get("/api/sessions/web/review?lines=true").json()["changes"]
    assert (found["path"], found["kind"]) == (".envrc", "new")
    assert "+evil" in found["lines"]
    nothing = program.post("/api/sessions/web/review", json={"do": "revert", "paths": ["file"]})
    assert nothing.status_code == 404
    (done,) = program.post("/api/sessions/web/review", json={"do": "revert"}).json()["changes"]
    assert Path(done["kept"]).read_text() == "evil\n"
    assert not (app / ".envrc").exists()
    (app / ".envrc").write_text("mine\n")
    program.post("/api/sessions/web/review", json={"do": "accept", "paths": [".envrc"]})
    assert program.get("/api/sessions/web/review").json()["changes"] == []


def test_a_program_that_may_only_read_changes_nothing(
    served: Served, program: httpx2.Client, app: Path, tmp_path: Path
) -> None:
    make(program, app, tmp_path)
    with served.client(served.token("sessions:read")) as reader:
        assert reader.get("/api/sessions/web/diff").status_code == 200
        for verb, body in (("fetch", {}), ("apply", {}), ("review", {"do": "accept"})):
            assert reader.post(f"/api/sessions/web/{verb}", json=body).status_code == 403
