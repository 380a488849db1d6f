"""A link is the user's, or an agent's: paths through directories that agents write in."""

import errno
import os
import socket
from pathlib import Path

import pytest

from agent_session.host import fences


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a project that an agent writes in, and a secret beside it."""
    (tmp_path / "project" / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "notes.md").write_text("notes")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    return tmp_path


def read(home: Path, path: str) -> str:
    opened = fences.open_source(home / path, [home / "project"])
    with os.fdopen(opened) as file:
        return file.read()


@pytest.mark.parametrize(
    ("link", "to", "path"),
    [
        ("project/notes", "../private/key", "project/notes"),
        ("project/notes", "{home}/private/key", "project/notes"),
        ("project/notes", "{home}/project/notes.md", "project/notes"),
        ("project/dir", "../private", "project/dir/key"),
        ("project/dir", "..", "project/dir/private/key"),
        ("project/dir", "sub/../../private", "project/dir/key"),
        ("project/sub/deep/dir", "../../../private", "project/sub/deep/dir/key"),
        ("project/sub/loop", "loop", "project/sub/loop"),
        ("project/a", "b/../private/key", "project/a"),
    ],
)
def test_a_link_that_leads_out_of_a_project_is_not_read(home: Path, link: str, to: str, path: str) -> None:
    (home / "project" / "b").symlink_to("sub/..")
    (home / link).symlink_to(to.format(home=home))
    with pytest.raises(OSError) as caught:  # noqa: PT011 (its number is what counts)
        read(home, path)
    assert caught.value.errno in {errno.ELOOP, errno.ENOENT}


@pytest.mark.parametrize(
    ("link", "to", "path"),
    [
        ("project/notes", "notes.md", "project/notes"),
        ("project/sub/notes", "../notes.md", "project/sub/notes"),
        ("mine", "project", "mine/notes.md"),
        ("mine", "{home}/project/sub", "mine/../notes.md"),
        ("project/sub/up", "..", "project/sub/up/notes.md"),
    ],
)
def test_a_link_that_stays_in_a_project_and_a_users_own_are_followed(
    home: Path, link: str, to: str, path: str
) -> None:
    (home / link).symlink_to(to.format(home=home))
    assert read(home, path) == "notes"


def test_what_the_user_types_may_lead_out_of_a_project(home: Path) -> None:
    assert read(home, "project/../private/key") == "secret"
    assert read(home, "project/sub/../../private/key") == "secret"


def test_a_users_link_into_a_project_does_not_hide_the_fence(home: Path) -> None:
    (home / "mine").symlink_to("project")
    (home / "project" / "trap").symlink_to("../private")
    for path in ("mine/trap", "mine/sub/../trap", "mine/sub/deep/../../trap"):
        with pytest.raises(OSError, match="agent writes"):
            fences.open_folder(home / path, [home / "project"])


def test_nothing_is_written_through_a_link_even_if_it_stays_in_the_project(home: Path) -> None:
    (home / "project" / "inbox").symlink_to("sub")
    with pytest.raises(OSError, match="agent writes"):
        fences.open_folder(home / "project" / "inbox", [home / "project"])
    os.close(fences.open_folder(home / "project" / "sub" / "..", [home / "project"]))
    os.close(fences.open_folder(home / "project" / "inbox", []))


def test_only_files_and_directories_are_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(home / "project" / "pipe")
    with pytest.raises(OSError, match="neither a file nor a directory"):
        read(home, "project/pipe")
    monkeypatch.chdir(home / "project")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        with pytest.raises(OSError):  # noqa: PT011
            read(home, "project/socket")


def test_no_descriptor_is_left_open(home: Path) -> None:
    (home / "project" / "trap").symlink_to("../private")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for path in ("project/trap/key", "project/none", "project/notes.md/x"):
        with pytest.raises(OSError):  # noqa: PT011
            read(home, path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
