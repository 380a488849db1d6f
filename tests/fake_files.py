"""The files of the engine in memory, which lie in a directory of the test: a LocalFiles."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fake_engine import FakeEngine


class FakeFiles:
    """Volumes are directories; a container has a root directory once a test has asked for it."""

    def __init__(self, engine: "FakeEngine", folder: Path | None) -> None:
        self._engine = engine
        self._folder = folder or Path(tempfile.mkdtemp(prefix="fake-engine-"))
        if not folder:
            weakref.finalize(self, shutil.rmtree, self._folder)

    def make_volume(self, name: str) -> None:
        """The directory of a new volume."""
        (self._folder / name).mkdir()

    def remove_volume(self, name: str) -> None:
        """It goes with its volume."""
        shutil.rmtree(self._folder / name)

    def make_root(self, container_id: str) -> Path:
        """The directory that is a container's root from now on."""
        folder = self._folder / f"root-{container_id}"
        folder.mkdir(exist_ok=True)
        return folder

    def volume_path(self, name: str) -> Path | None:
        """The directory of a volume."""
        return self._folder / name if self._engine.volume_labels(name) is not None else None

    def open_root(self, container_id: str, pid: int) -> int | None:
        """Open a running container's root directory, if a test has made one."""
        there = any(
            container.id == container_id and container.pid == pid for container in self._engine.containers("")
        )
        folder = self._folder / f"root-{container_id}"
        if not there or not folder.is_dir():
            return None
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
