"""Whether a mount is what it was to be: tried on this process's own mounts."""

import os
from pathlib import Path

import pytest

from agent_session.engine.podman import mount_check
from agent_session.engine.podman.mount_check import Bind, Line

ROOT = Bind(source=b"/", target=b"/")
PROC = Bind(source=b"/proc", target=b"/proc")


def test_what_is_at_its_place_has_not_moved() -> None:
    assert mount_check.moved([ROOT, PROC], os.getpid()) == []


@pytest.mark.parametrize(
    "bind",
    [
        Bind(source=b"/proc", target=b"/"),
        Bind(source=b"/", target=b"/proc"),
        Bind(source=b"/proc", target=b"/nowhere"),
        Bind(source=b"/nowhere", target=b"/proc"),
    ],
)
def test_what_is_another_mount_or_at_another_place_has_moved(bind: Bind) -> None:
    assert mount_check.moved([ROOT, bind, PROC], os.getpid()) == [bind]


@pytest.mark.parametrize("way", ["link", "link/below", "dir/../dir", "dir/"])
def test_a_source_that_is_reached_through_a_link_is_never_at_its_place(tmp_path: Path, way: str) -> None:
    (tmp_path / "dir" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "dir")
    table = {line.number: line for line in mount_check._table("/proc/self/mountinfo")}
    assert mount_check._place(os.fsencode(f"{tmp_path}/{way}"), table) is None
    assert mount_check._place(os.fsencode(tmp_path / "dir"), table) is not None


def test_a_path_in_a_file_system_is_told_from_its_root() -> None:
    here = Path.cwd()
    descriptor = os.open(here, os.O_PATH)
    number = mount_check._mount_number(descriptor)
    os.close(descriptor)
    line = Line(number=number, device=b"0:9", root=b"/@home", point=b"/")
    assert mount_check._place(os.fsencode(here), {number: line}) == (b"0:9", b"/@home" + os.fsencode(here))


def test_names_that_the_kernel_escapes_are_read() -> None:
    assert mount_check._unescaped(rb"/a\040b\011\134c") == b"/a b\t\\c"
