"""The program knows its links and how it was installed, and never proposes to remove work that exists nowhere
else.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_session.doctor import program


def git(folder: Path, *words: str) -> None:
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *settings, "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    origin, folder = tmp_path / "origin", tmp_path / "a clone"
    origin.mkdir()
    git(origin, "init")
    (origin / "pyproject.toml").touch()
    git(origin, "add", ".")
    git(origin, "commit", "-m", "first")
    git(tmp_path, "clone", str(origin), str(folder))
    return folder


def test_a_clone_that_holds_nothing_of_its_own_may_go(clone: Path) -> None:
    assert program.unsaved_work(clone, os.environ) == ""


def test_a_folder_that_is_no_clone_may_go(tmp_path: Path) -> None:
    assert program.unsaved_work(tmp_path, os.environ) == ""


@pytest.mark.parametrize("kind", ["changed", "untracked", "committed", "stashed", "branched", "broken"])
def test_work_in_a_clone_is_seen(clone: Path, kind: str) -> None:
    if kind == "broken":
        (clone / ".git" / "HEAD").write_text("nonsense")
    else:
        (clone / ("new" if kind == "untracked" else "pyproject.toml")).write_text("mine")
    if kind == "branched":
        git(clone, "checkout", "-b", "other")
    if kind in {"committed", "branched"}:
        git(clone, "commit", "-am", "mine")
    if kind == "branched":
        git(clone, "checkout", "main")
    if kind == "stashed":
        git(clone, "stash")
    assert program.unsaved_work(clone, os.environ)


def test_looking_at_a_clone_runs_nothing_that_it_names(clone: Path, tmp_path: Path) -> None:
    git(clone, "config", "core.fsmonitor", f"touch {tmp_path}/ran")
    program.unsaved_work(clone, os.environ)
    assert not (tmp_path / "ran").exists()


def test_the_command_for_a_clone_with_work_looks_first_and_removes_nothing(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "checkout", lambda: clone)
    assert program.removal(os.environ).command == f"rm -rf '{clone}'"
    (clone / "new").touch()
    removal = program.removal(os.environ)
    assert removal.command == f"git -C '{clone}' status"
    assert "changes that are not committed" in removal.what


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/you/.local/share/pipx/venvs/agent-session", "pipx uninstall agent-session"),
        ("/home/you/.local/share/uv/tools/agent-session", "uv tool uninstall agent-session"),
        ("/srv/my venv", "'/srv/my venv/bin/python' -m pip uninstall agent-session"),
    ],
)
def test_the_command_for_a_package_is_that_of_its_installer(
    monkeypatch: pytest.MonkeyPatch, prefix: str, command: str
) -> None:
    monkeypatch.setattr(program, "checkout", lambda: None)
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "executable", f"{prefix}/bin/python")
    assert program.removal(os.environ).command == command
    assert program.links() == ()


def test_only_links_into_the_checkout_are_its_own(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(program, "checkout", lambda: clone)
    pages = home / ".local" / "share" / "man" / "man1"
    pages.mkdir(parents=True)
    (home / ".local" / "bin").mkdir()
    (home / ".local" / "bin" / "agent-session").symlink_to(clone / "agent-session")
    (pages / "agent-session-ls.1").symlink_to(
        clone / ".venv" / "share" / "man" / "man1" / "agent-session-ls.1"
    )
    (pages / "agent-session-mine.1").symlink_to("/somewhere/else")
    (pages / "agent-session.1").touch()
    assert [link.name for link in program.links()] == ["agent-session", "agent-session-ls.1"]
