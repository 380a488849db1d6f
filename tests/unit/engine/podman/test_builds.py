"""What killed builds leave is told from what is somebody's, with nothing but files and processes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent_session.engine.podman import build_folders, builds
from tests.waiting import until

SOURCES = Path(__file__).parents[4] / "src"
OWNER = """
import os, subprocess, sys
from agent_session.engine.podman import build_folders
folder = build_folders.folder(os.environ)
service = subprocess.Popen(sys.argv[1:], pass_fds=(folder.held,), stdin=0)
print(folder.path, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    (tmp_path / "tmp").mkdir()
    return {"TMPDIR": str(tmp_path / "tmp"), "XDG_RUNTIME_DIR": str(tmp_path)}


def test_a_folder_is_nobody_elses_to_remove_while_its_owner_lives(environment: Mapping[str, str]) -> None:
    folder = build_folders.folder(environment)
    assert folder
    assert folder.path.parent == Path(environment["TMPDIR"])
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert build_folders.dead_folders(environment) == []
    (folder.path / "buildah1").mkdir()
    folder.remove("podman")
    assert not folder.path.exists()


def test_a_folder_whose_owner_was_killed_is_left_alone_until_its_service_has_ended_too(
    environment: Mapping[str, str],
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, "cat"],
        env={
            **environment,
            "PYTHONPATH": str(SOURCES),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout
        assert owner.stdin
        path = Path(owner.stdout.readline().strip())
        owner.wait()
        assert build_folders.dead_folders(environment) == []
        owner.stdin.close()
        until(lambda: build_folders.dead_folders(environment) == [path], "the service's end")
    build_folders.await_dying(environment)
    build_folders.remove(path, "podman")
    assert not path.exists()


def test_what_only_has_the_name_is_not_ours(environment: Mapping[str, str], tmp_path: Path) -> None:
    place = Path(environment["TMPDIR"])
    me, nobody = os.geteuid(), 4194304  # a number that no process has
    (place / f"agent-session-build-{me}-{nobody}-link").symlink_to(tmp_path)
    (place / f"agent-session-build-{me}-{nobody}-file").touch()
    (place / f"agent-session-build-{me + 1}-{nobody}-theirs").mkdir()
    (place / f"agent-session-build-{me}-{nobody}-more-words").mkdir()
    (place / f"agent-session-build-{me}-{os.getpid()}-alive").mkdir()
    (ours := place / f"agent-session-build-{me}-{nobody}-ours").mkdir()
    assert build_folders.dead_folders(environment) == [ours]


def test_where_podman_may_look_for_its_state_in_tmpdir_that_stays(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert build_folders.folder({"TMPDIR": environment["TMPDIR"]}) is None


def test_a_temporary_directory_that_cannot_be_used_is_no_obstacle(tmp_path: Path) -> None:
    gone = {"TMPDIR": str(tmp_path / "gone"), "XDG_RUNTIME_DIR": str(tmp_path)}
    assert build_folders.folder(gone) is None
    assert build_folders.dead_folders(gone) == []


def test_a_build_container_is_ours_by_its_mark_or_nobodys_without_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "STATE_SECONDS", 0.1)

    def state(number: str, hosts: list[str] | None) -> None:
        folder = tmp_path / "overlay-containers" / number / "userdata"
        folder.mkdir(parents=True)
        (folder / "buildah.json").write_text(json.dumps({"CommonBuildOpts": {"AddHost": hosts}}))

    owner = "process-{}.agent-session.invalid:127.0.0.1".format
    assert builds.mark() == owner(os.getpid())
    state("a1", [builds.mark()])
    state("a2", ["registry:10.0.0.1", owner(4194304)])
    state("a3", [owner(os.getppid())])
    state("b2", None)
    state("c3", ["registry:10.0.0.1"])
    podman = tmp_path / "podman"
    podman.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    podman.chmod(0o755)
    found = [
        "a1 088e924e9716-working-container Storage",
        "a2 088e924e9716-working-container-1 Storage",
        "b2 agent-session-base-working-container Storage",
        "c3 debian-working-container Storage",
        "d4 agent-session-base-working-container-1 Storage",
        f"w6 {builds.preparing_name()} Created",
        "a3 agent-session-base-working-container-2 Storage",
        "e5 working-container Storage",
        f"w7 agent-session-preparing-{os.getppid()}-00 Created",
    ]
    assert builds.ours([str(podman)], found) == [found[at] for at in (0, 1, 4, 5, 7)]
    podman.write_text(f"#!/bin/sh\necho {tmp_path}/of-another-machine\n")
    assert builds.ours([str(podman)], found) == [found[at] for at in (2, 4, 5, 6)], "by their names alone"
    assert builds.ours([str(tmp_path / "never-asked")], []) == []
