"""Hints name the program as it was called, so that they can be pasted."""

from pathlib import Path

import pytest

from agent_session.cli import hints
from agent_session.errors import Hint


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """A launcher in a directory with a space."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    file = folder / "agent-session"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/agent_session/__main__.py"])


def test_a_launcher_that_is_not_on_path_is_named_as_it_was_called(launcher: Path) -> None:
    environment = {hints.LAUNCHED_AS: str(launcher), "PATH": "/usr/bin"}
    assert hints.program(environment) == str(launcher)
    assert Hint("ls").command(hints.program(environment)) == f"'{launcher}' ls"


def test_a_program_on_path_has_its_plain_name(launcher: Path, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "sessions"
    link.parent.mkdir()
    link.symlink_to(launcher)
    environment = {hints.LAUNCHED_AS: str(link), "PATH": str(link.parent)}
    assert hints.program(environment) == "sessions"


def test_another_program_of_that_name_on_path_is_not_meant(launcher: Path, tmp_path: Path) -> None:
    other = tmp_path / "bin" / "agent-session"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    environment = {hints.LAUNCHED_AS: str(launcher), "PATH": str(other.parent)}
    assert hints.program(environment) == str(launcher)


def test_an_installed_program_is_named_as_it_was_called(
    launcher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [str(launcher)])
    assert hints.program({"PATH": "/usr/bin"}) == str(launcher)


@pytest.mark.parametrize("called", ["", "/gone/agent-session"])
def test_without_knowledge_the_plain_name_is_used(called: str) -> None:
    assert hints.program({hints.LAUNCHED_AS: called, "PATH": "/usr/bin"}) == "agent-session"


def test_each_hint_has_a_line_of_its_own() -> None:
    assert hints.lines([Hint("ls"), Hint(shell="df -h")]) == ["hint: agent-session ls", "or:   df -h"]
