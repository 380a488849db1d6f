"""What doctor finds on a machine, without asking Podman."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent_session.doctor import machine_checks
from agent_session.doctor.findings import Finding
from agent_session.engine.podman import service
from agent_session.host import paths
from agent_session.host.lock import lock
from tests.waiting import until


def only(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


class Disk:
    """What os.statvfs would say."""

    f_frsize = 4096
    f_files = 1_000_000
    f_favail = 900_000

    def __init__(self, megabytes: int, *, inodes: int = 900_000) -> None:
        self.f_bavail = megabytes * 256
        self.f_favail = inodes


@pytest.mark.parametrize(
    ("disk", "level", "code"),
    [
        (Disk(50_000), "ok", 0),
        (Disk(500), "warning", 0),
        (Disk(3), "error", 7),
        (Disk(50_000, inodes=10), "error", 7),
        (Disk(50_000, inodes=5_000), "warning", 0),
    ],
)
def test_a_full_disk_is_an_error_and_a_small_one_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk, level: str, code: int
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: disk)
    found = only(machine_checks.space("storage", tmp_path / "not" / "there" / "yet"))
    assert (found.level, found.code) == (level, code)
    assert level == "ok" or "podman image prune" in found.fix


def test_what_a_session_does_without_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: Disk(3))
    assert only(machine_checks.space("home", tmp_path, vital=False)).level == "warning"


def test_a_directory_that_cannot_be_written_is_named(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o500)
    found = only(machine_checks.space("storage", ordinary_folder / "containers"))
    assert (found.level, found.code) == ("error", 3)
    assert str(ordinary_folder) in found.words


def test_without_subordinate_ids_the_command_that_gives_some_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "has_subordinate_ids", lambda: False)
    found = only(machine_checks.subordinate_ids())
    assert (found.level, found.code) == ("error", 6)
    assert "--add-subuids" in found.fix


def test_without_newuidmap_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "has_subordinate_ids", lambda: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = only(machine_checks.subordinate_ids())
    assert found.level == "error"
    assert "no newuidmap" in found.words


def test_a_missing_tun_is_an_error_and_a_missing_fuse_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_checks, "TUN", tmp_path / "tun")
    monkeypatch.setattr(machine_checks, "FUSE", tmp_path / "fuse")
    tun, fuse = machine_checks.devices()
    assert (tun.level, tun.code, fuse.level) == ("error", 6, "warning")
    assert "No such file" in tun.words
    for name in ("tun", "fuse"):
        (tmp_path / name).touch()
    assert only(machine_checks.devices()).level == "ok"


@pytest.mark.parametrize("program", ["iptables", "nft"])
def test_without_a_firewalls_program_root_has_no_sessions_and_others_no_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(machine_checks, "ADMINISTRATORS", str(tmp_path))
    bare = {"PATH": str(tmp_path / "none")}
    found = only(machine_checks.firewall(bare, rootful=True))
    assert (found.level, found.code) == ("error", 7)
    assert "apt-get install iptables" in str(found.fix)
    found = only(machine_checks.firewall(bare, rootful=False))
    assert (found.level, "base_url" in found.words) == ("warning", True)
    (tmp_path / program).touch(mode=0o755)
    assert only(machine_checks.firewall(bare, rootful=True)).level == "ok"


def test_a_clock_from_before_the_program_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(machine_checks.clock()).level == "ok"
    monkeypatch.setattr("time.time", lambda: 86400.0 * 365)
    found = only(machine_checks.clock())
    assert found.level == "warning"
    assert "1971" in found.words


def test_lingering_is_looked_up_where_there_is_a_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_checks, "SYSTEMD", tmp_path / "systemd")
    monkeypatch.setattr(machine_checks, "LINGER", tmp_path / "linger")
    assert only(machine_checks.lingering()).level == "ok"
    (tmp_path / "systemd").mkdir()
    off = only(machine_checks.lingering())
    assert (off.level, off.fix) == ("warning", "loginctl enable-linger")
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / service.user_name()).touch()
    assert only(machine_checks.lingering()).level == "ok"


def test_a_runtime_directory_that_is_not_there_is_told_with_what_is_used_instead(
    ordinary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "runtime_base", lambda: str(ordinary_folder))
    found = only(machine_checks.runtime({"XDG_RUNTIME_DIR": "/run/user/gone"}))
    assert found.level == "warning"
    assert "/run/user/gone" in found.words
    assert str(ordinary_folder) in found.words
    (ordinary_folder).chmod(0o755)
    assert (
        only(machine_checks.runtime({"XDG_RUNTIME_DIR": str(ordinary_folder)})).fix
        == f"chmod 700 {ordinary_folder}"
    )
    (ordinary_folder).chmod(0o700)
    assert only(machine_checks.runtime({"XDG_RUNTIME_DIR": str(ordinary_folder)})).level == "ok"


def test_a_lock_that_is_held_for_hours_names_who_holds_it() -> None:
    folder = paths.runtime_folder()
    (folder / "session-old.lock").write_text("1\n")
    assert only(machine_checks.locks()).words == "none held"
    with lock(folder, "session-web", waiting=lambda _pid: None):
        assert only(machine_checks.locks()).level == "ok"
        os.utime(folder / "session-web.lock", (1, 1))
        warning, _ = machine_checks.locks()
        assert warning.level == "warning"
        assert f"process {os.getpid()} has held session-web.lock" in warning.words
        assert warning.fix == f"kill {os.getpid()}"


def test_a_lock_of_a_suspended_process_is_told_at_once() -> None:
    folder = paths.runtime_folder()
    program = (
        "import os, signal, sys; from pathlib import Path; from agent_session.host.lock import lock\n"
        "with lock(Path(sys.argv[1]), 'build', waiting=print): os.kill(os.getpid(), signal.SIGSTOP)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    with subprocess.Popen([sys.executable, "-c", program, folder], env=environment) as process:
        try:
            warning = until(lambda: [f for f in machine_checks.locks() if f.level == "warning"], "the lock")[
                0
            ]
            assert "is suspended" in warning.words
            assert warning.fix == f"kill -CONT {process.pid}"
        finally:
            process.kill()


def test_sockets_of_killed_commands_are_removed_and_those_of_living_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = paths.runtime_folder()
    monkeypatch.chdir(folder)  # a socket's path has at most 107 bytes, a test's folder often more
    dead, living = folder / "podman-4194304-ab.sock", folder / f"podman-{os.getpid()}-ab.sock"
    for path in (dead, living):
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    found = only(machine_checks.sockets())
    assert found.level == "warning"
    assert found.repair
    assert found.repair() == "removed 1 dead sockets"
    assert not dead.exists()
    assert living.exists()
    assert only(machine_checks.sockets()).level == "ok"


def test_an_ssh_agent_that_has_ended_is_told_and_one_that_answers_is_well(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    assert only(machine_checks.ssh_agent({})).level == "ok"
    found = only(machine_checks.ssh_agent({"SSH_AUTH_SOCK": str(path)}))
    assert (found.level, "a login that has ended" in found.words) == ("warning", True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        assert only(machine_checks.ssh_agent({"SSH_AUTH_SOCK": str(path)})).level == "ok"
    found = only(machine_checks.ssh_agent({"SSH_AUTH_SOCK": str(path)}))
    assert (found.level, "that ssh-agent has ended" in found.words) == ("warning", True)
    assert "ssh-add" in found.fix
