"""Files that somebody else may change are read without following, blocking or reading without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_session.host import nofollow


def test_a_file_is_read_by_its_path_and_below_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    file = tmp_path / "a" / "b" / "file"
    file.write_bytes(b"content")
    assert nofollow.read(file, largest=100) == b"content"
    assert nofollow.read(tmp_path, "a", "b", "file", largest=3) == b"con"
    folder = nofollow.open_directory(tmp_path, "a")
    assert nofollow.read(folder, "b", "file", largest=100) == b"content"
    assert nofollow.exists(folder, "b", "file")
    os.close(folder)


def test_a_larger_file_is_not_read_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    assert nofollow.read_whole(file, largest=10) == b"x" * 10
    with pytest.raises(OSError, match="more than 9 bytes"):
        nofollow.read_whole(file, largest=9)


def test_an_endless_device_is_not_a_file() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        nofollow.read(Path("/dev/zero"), largest=10)


KINDS: dict[str, Callable[[Path], None]] = {
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_is_read(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / "x")
    with pytest.raises(OSError):  # noqa: PT011 (the system's words)
        nofollow.read(tmp_path / "x", largest=10)
    assert not nofollow.exists(tmp_path, "x")
    with pytest.raises(OSError):  # noqa: PT011
        nofollow.read(tmp_path, "x", "file", largest=10)


def test_a_link_on_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("secret")
    (tmp_path / "way").symlink_to("secret")
    with pytest.raises(OSError):  # noqa: PT011
        nofollow.read(tmp_path, "way", "file", largest=10)


def test_the_users_own_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    assert nofollow.read(tmp_path / "link", largest=100, links=True) == b"content"
    with pytest.raises(FileNotFoundError):
        nofollow.read(tmp_path / "none", largest=100, links=True)
