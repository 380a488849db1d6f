"""Where images are built once for all tests, and what an account of a test takes over from the user who runs
them.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LAUNCHER = REPOSITORY / "agent-session"
STUB = REPOSITORY / "tests" / "images" / "stub"


def storage_configuration(storage: Path, runroot: Path, driver: str, images: Path | None) -> str:
    """A storage.conf; `images` is a storage whose images are to be seen."""
    more = f'[storage.options]\nadditionalimagestores = ["{images}"]\n' if images else ""
    return (
        f'[storage]\ndriver = "{driver}"\nrunroot = "{runroot}"\n'
        f'graphroot = "{storage}"\nrootless_storage_path = "{storage}"\n{more}'
    )  # fmt: skip


def link_what_is_the_machines(config_home: Path, data_home: Path) -> None:
    """Podman's settings and the virtual environment of a checkout that cannot be written are not what is
    tested.
    """
    real_config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    real_data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    for ours, theirs in (
        (config_home / "containers", real_config / "containers"),
        (data_home / "agent-session" / "venv", real_data / "agent-session" / "venv"),
    ):
        ours.parent.mkdir(parents=True, exist_ok=True)
        if theirs.exists():
            ours.symlink_to(theirs)


def have_locks_of_its_own(folder: Path) -> None:
    """All that one user runs shares Podman's 2048 locks in memory,
    which nobody gives back for an account that is removed: files instead.
    """
    if folder.is_symlink():
        real = folder.resolve()
        folder.unlink()
        shutil.copytree(real, folder)
    (folder / "containers.conf.d").mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf.d" / "locks.conf").write_text('[engine]\nlock_type = "file"\n')


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The storage of the user who runs the tests, where images are built once."""

    path: Path
    runroot: Path
    driver: str
    folder: Path

    def build(self, agent: str) -> str:
        """Build an agent's image there, with the stub as one of the user's own; returns its reference."""
        data = self.folder / "data"
        if not data.exists():
            link_what_is_the_machines(self.folder / "config", data)
            (data / "agent-session" / "agents").mkdir(parents=True)
            (data / "agent-session" / "agents" / "stub").symlink_to(STUB)
            (self.folder / "storage.conf").write_text(
                storage_configuration(self.path, self.runroot, self.driver, None)
            )
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AGENT_SESSION_")
        }
        environment |= {
            "XDG_DATA_HOME": str(data),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }
        command: Sequence[str | Path] = [LAUNCHER, "build", agent]
        done = subprocess.run(
            command,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(
                f"{LAUNCHER} build {agent} ended with {done.returncode}:\n"
                f"{done.stderr[-3000:]}\nhint: scripts/setup --all"
            )
        return done.stdout.strip()


def find_storage(folder: Path) -> Storage:
    """Where this user's Podman keeps images; fails with the command that installs Podman."""
    if not shutil.which("podman"):
        pytest.fail("podman is not installed: sudo scripts/setup --system")
    asked = [
        "podman",
        "--log-level=error",
        "info",
        "--format",
        "{{.Store.GraphRoot}}\n{{.Store.RunRoot}}\n{{.Store.GraphDriverName}}",
    ]
    done = subprocess.run(asked, text=True, capture_output=True, check=False)
    if done.returncode:
        pytest.fail(
            f"podman does not work for this user: {done.stderr}\nhint: "
            f"sudo scripts/setup --system --user $USER"
        )
    path, runroot, driver = done.stdout.split("\n")[:3]
    return Storage(path=Path(path), runroot=Path(runroot), driver=driver, folder=folder)
