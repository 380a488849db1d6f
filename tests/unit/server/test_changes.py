"""What sessions changed, over HTTP, with git and the clone program on directories of this machine."""

import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fake_clones import Volumes
from tests.fake_engine import FakeEngine


def git(top: Path, *words: str, given: str | None = None) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    done = subprocess.run(
        ["git", *who, *words], cwd=top, capture_output=True, text=True, check=True, input=given
    )
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
    git(top, "commit", "-q", "-m", "first")
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
