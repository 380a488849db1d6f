"""A file is replaced in one step, or stays as it was."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_session.host import atomic

SOURCES = Path(__file__).parents[3] / "src"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_a_file_is_made_and_replaced_with_the_mode_that_is_asked_for(folder: Path) -> None:
    file = folder / "file"
    for content, mode in ((b"one", 0o600), (b"two", 0o644)):
        atomic.replace(file, content, mode=mode)
        assert file.read_bytes() == content
        assert file.stat().st_mode & 0o777 == mode & ~umask()
    assert os.listdir(folder) == ["file"]  # noqa: PTH208


def umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_link_is_replaced_and_not_written_through(folder: Path) -> None:
    (folder / "other").write_text("other")
    (folder / "file").symlink_to("other")
    atomic.replace(folder / "file", b"new")
    assert not (folder / "file").is_symlink()
    assert (folder / "other").read_text() == "other"


def fail_halfway(file: Path) -> None:
    with atomic.replacing(file) as written:
        written.write(b"half")
        raise ValueError("no")


@pytest.mark.parametrize("nameless", [True, False], ids=["without a name", "with a name"])
def test_a_failure_leaves_the_file_as_it_was_and_nothing_beside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    if not nameless:
        monkeypatch.setattr(os, "O_TMPFILE", 0)
    (folder / "file").write_text("old")
    with pytest.raises(ValueError, match="no"):
        fail_halfway(folder / "file")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"file": "old"}
    atomic.replace(folder / "file", b"new")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"file": "new"}


KILLED = """
import os, signal, sys
from pathlib import Path
from agent_session.host import atomic
with atomic.replacing(Path(sys.argv[1])) as written:
    written.write(b"half")
    written.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_is_killed_leaves_the_file_as_it_was(folder: Path) -> None:
    (folder / "file").write_text("old")
    environment = {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", KILLED, str(folder / "file")]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert (folder / "file").read_text() == "old"
