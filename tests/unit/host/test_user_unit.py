"""The unit that starts a session with the machine, as systemd reads it, and the verbs that write it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent_session.errors import EngineUnavailable
from agent_session.host import user_unit
from tests.unit.machine import Machine

SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/asked"
test "$2" != enable || {
    mkdir -p "$HOME/.config/systemd/user/default.target.wants"
    ln -s "../$3" "$HOME/.config/systemd/user/default.target.wants/$3"
}
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that notes what it is asked, and enables as the real one does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder / "asked"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path: Path) -> None:
    program = tmp_path / 'a "b" 100%' / "agent-session"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / user_unit.unit_name("my.web-1")
    unit.write_text(user_unit.text("my.web-1", program))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", unit],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert unit.name not in done.stderr, done.stderr


def test_a_session_is_enabled_and_disabled(machine: Machine, systemctl: Path, home: Path) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    ran = machine("enable", "web")
    unit = home / ".config/systemd/user/agent-session-web.service"
    assert (ran.code, ran.out) == (0, f"{unit}\n")
    assert "loginctl enable-linger" in ran.err
    assert "restart --if-stopped --detach web" in unit.read_text()
    assert systemctl.read_text() == "--user daemon-reload\n--user enable agent-session-web.service\n"
    assert user_unit.is_enabled("web", {})
    machine.ok("disable", "web")
    assert not unit.exists()
    assert not user_unit.is_enabled("web", {})
    assert "was not enabled" in machine("disable", "web").err
    assert machine("enable", "nobody").code == 4


def test_a_session_that_is_removed_leaves_no_unit(machine: Machine, systemctl: Path, home: Path) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.ok("enable", "web")
    machine.ok("stop", "web")
    machine.ok("rm", "--force", "web")
    assert not list((home / ".config/systemd/user").glob("**/*.service"))
    assert systemctl.exists()


def test_without_systemd_nothing_is_left(
    machine: Machine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(EngineUnavailable):
        user_unit.enable("web", Path("/x"), {})
    assert machine("enable", "web").code == 6
    assert not list((home / ".config/systemd/user").glob("**/*.service"))
