"""Uninstall removes what can be made again, says what stays, and touches no session."""

from pathlib import Path

import pytest

from agent_session.cli import questions
from agent_session.cli.commands import uninstall
from agent_session.doctor import footprint
from tests.unit.machine import Machine, terminal


def test_sessions_are_in_the_way_and_the_commands_that_look_after_them_are_told(machine: Machine) -> None:
    machine.ok("start", "-n", "web", "-d")
    before = machine.engine.images.references()
    ran = machine("uninstall", "--force")
    assert ran.code == 5
    assert "there are sessions: web" in ran.err
    assert "agent-session stop --all && agent-session rm web" in ran.err
    assert machine.engine.images.references() == before
    machine.ok("stop", "web")
    assert "hint: agent-session rm web" in machine("uninstall", "--force").err


def test_volumes_of_a_session_whose_container_somebody_removed_are_in_the_way_as_a_session_is(
    machine: Machine,
) -> None:
    for name in ("web", "api"):
        machine.ok("start", "-n", name, "-d")
    machine.ok("stop", "--all")
    machine.engine.create_volume("agent_mine_home", {})
    machine.engine.remove("agent_api")
    before = machine.engine.images.references()
    ran = machine("uninstall", "--force")
    assert ran.code == 5
    assert (
        "there are sessions: web; there are volumes of sessions whose containers are gone: agent_api_home, "
        in ran.err
    )
    assert "hint: agent-session rm web api" in ran.err
    machine.ok("rm", "--force", "--discard-work", "web", "api")
    assert machine.engine.images.references() == before
    machine.ok("uninstall", "--force")
    assert machine.engine.volume_labels("agent_mine_home") == {}


def test_images_logins_caches_and_logs_go_and_settings_stay(machine: Machine, home: Path) -> None:
    settings = home / ".config" / "agent-session"
    own = home / ".local" / "share" / "agent-session" / "agents"
    logs = home / ".local" / "state" / "agent-session"
    for folder in (settings, own, logs):
        folder.mkdir(parents=True, exist_ok=True)
    (settings / "config.yaml").write_text("agent: shell\n")
    machine.engine.put_secret("agent-session-login-claude", b"{}")
    assert any("agent-session-" in image for image in machine.engine.images.references())
    ran = machine("uninstall", "--force")
    assert ran.code == 0, ran.err
    assert not any("agent-session-" in image for image in machine.engine.images.references())
    assert "docker.io/library/debian:trixie-slim" in machine.engine.images.references()  # not ours
    assert machine.engine.secret_id("agent-session-login-claude") is None
    assert "stored login agent-session-login-claude" in ran.err
    assert (logs.exists(), settings.exists(), own.exists()) == (False, True, True)
    assert f"rm -r {settings}  # stays:" in ran.out
    assert "# stays: the program" in ran.out


def test_settings_go_when_that_is_said(machine: Machine, home: Path) -> None:
    settings = home / ".config" / "agent-session"
    settings.mkdir(parents=True)
    assert str(settings) not in machine.ok("uninstall", "--force", "--settings")
    assert not settings.exists()


def test_it_asks_first_and_a_no_removes_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine.engine.images.references()
    ran = machine("uninstall")
    assert (ran.code, "agent-session uninstall --force" in ran.err) == (2, True)
    terminal(monkeypatch, there=True)
    monkeypatch.setattr(uninstall, "on_terminal", lambda: True)
    monkeypatch.setattr(questions, "confirm", lambda *_, **__: False)
    ran = machine("uninstall")
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "nothing was removed")
    assert machine.engine.images.references() == before


def test_twice_is_fine(machine: Machine) -> None:
    machine.ok("uninstall", "--force")
    machine.ok("uninstall", "--force")


def test_a_folder_that_is_a_link_loses_the_link_only(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    (real / "file").touch()
    link.symlink_to(real)
    footprint.remove_folders([link, tmp_path / "none"])
    assert not link.exists()
    assert (real / "file").exists()
