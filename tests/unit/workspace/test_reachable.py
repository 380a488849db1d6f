"""Directories in which a rootless engine can make no mount."""

import os
from pathlib import Path, PurePosixPath

import pytest

from agent_session.engine.container import Mount
from agent_session.workspace import reachable
from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.projects import Project

TARGET = PurePosixPath("/workspace/site")


def check(site: Path, *below: str) -> None:
    mounts = [Mount(kind="bind", source="/", target=TARGET / one) for one in below]
    reachable.check([Project(source=site, target=TARGET)], mounts)


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "refused"),
    [
        (0, 0, 0o750, False),  # both mine
        (0, 33, 0o2750, True),  # www-data
        (0, 33, 0o2751, False),
        (0, 33, 0o2755, False),
        (1, 0, 0o770, True),  # somebody else's
        (1, 33, 0o775, False),
        (100_000, 100_000, 0o750, False),  # made in a container
    ],
)
def test_a_directory_that_the_engine_cannot_enter_is_refused_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, gid: int, mode: int, refused: bool
) -> None:
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    real = Path.stat
    me = (os.geteuid(), os.getegid())

    def stat(path: Path, **more: bool) -> os.stat_result:
        found = list(real(path, **more))
        if path == site:
            found[0] = 0o040000 | mode
            found[4:6] = uid or me[0], gid or me[1]
        return os.stat_result(found)

    monkeypatch.setattr(Path, "stat", stat)
    check(site)  # nothing is mounted in it
    if not refused:
        check(site, ".git/config")
        return
    with pytest.raises(ProjectRefused, match="others may not enter it") as raised:
        check(site, ".git/config")
    assert f"chmod o+x {site}" in raised.value.hint
