"""What is read from the host: time zone, certificates, directories."""

import stat
import tempfile
from pathlib import Path

import platformdirs
import pytest

from agent_session.host import ca_certificates, paths, timezone


def test_tz_names_the_time_zone() -> None:
    assert timezone.name({"TZ": "Asia/Tokyo"}) == "Asia/Tokyo"


def test_without_tz_there_is_still_a_time_zone() -> None:
    assert timezone.name({})


def test_the_users_own_bundle_comes_first(home: Path) -> None:
    bundle = home / "bundle.pem"
    bundle.touch()
    assert ca_certificates.bundle({"SSL_CERT_FILE": str(bundle)}) == bundle
    assert ca_certificates.trusts_more({"SSL_CERT_FILE": str(bundle)})


def test_a_bundle_that_is_not_there_is_passed_over(home: Path) -> None:
    assert ca_certificates.bundle({"SSL_CERT_FILE": str(home / "gone.pem")}) == ca_certificates.bundle({})


def test_a_ca_in_the_systems_directory_is_more_than_the_public_roots(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_certificates, "ADDED", (str(home / "anchors"),))
    assert not ca_certificates.trusts_more({})
    (home / "anchors").mkdir()
    assert not ca_certificates.trusts_more({})
    (home / "anchors" / "company.crt").touch()
    assert ca_certificates.trusts_more({})


def test_the_runtime_directory_is_ours_alone() -> None:
    folder = paths.runtime_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert paths.runtime_folder() == folder


def test_a_runtime_directory_that_somebody_else_put_there_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "runtime_base", lambda: str(tmp_path))
    (tmp_path / "agent-session").symlink_to(tmp_path / "theirs")
    (tmp_path / "theirs").mkdir()
    with pytest.raises(PermissionError):
        paths.runtime_folder()


def test_without_a_login_there_is_a_runtime_directory_of_this_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "runtime_base", tempfile.gettempdir)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert paths.runtime_folder().parent == tmp_path
    assert paths.runtime_folder().name != "agent-session"


def test_logs_go_elsewhere_where_the_home_cannot_be_written(home: Path) -> None:
    (home / ".local").touch()
    assert paths.log_folder() == paths.runtime_folder()


def test_a_users_own_agents_come_after_the_shipped_ones(home: Path) -> None:
    shipped, own = paths.agent_folders()
    assert (shipped / "versions.yaml").is_file()
    assert own == home / ".local/share/agent-session/agents"


@pytest.mark.parametrize("named", [None, "", "/elsewhere", "relative", " /spaces "])
def test_places_are_those_of_platformdirs(named: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in paths.XDG:
        variable = f"XDG_{kind.upper()}_HOME"
        monkeypatch.delenv(variable, raising=False) if named is None else monkeypatch.setenv(variable, named)
    assert paths.config_file().parent == platformdirs.user_config_path(paths.APP)
    assert paths.agent_folders()[1].parent == platformdirs.user_data_path(paths.APP)
    assert paths.words_folder() == platformdirs.user_cache_path(paths.APP)
