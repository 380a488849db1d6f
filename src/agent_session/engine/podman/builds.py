"""Builds of images, and what killed builds leave: working containers and temporary files.

build_folders.py holds the temporary files.

Podman names the containers after images, which may be anybody's or have no name
("088e924e9716-working-container"). So ours are marked by a host name that no step asks for, which is written
to the state of each container as soon as there is one (`buildah.json`, buildah 1.28). The mark has the number
of the building process: two processes of one user may not know of each other's locks (`su` without a login
has another XDG_RUNTIME_DIR, or none), and the containers of a running build must not be removed.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from agent_session.engine.image_store import BuildSpec
from agent_session.engine.podman import answers, build_folders, program
from agent_session.engine.podman.connection import Connection
from agent_session.errors import BuildFailed
from agent_session.host.signals import uninterrupted

MARK = re.compile(r"process-(\d+)\.agent-session\.invalid:127\.0\.0\.1")
"""HOST:ADDRESS. No name can end so (RFC 2606), and it is in no layer."""
STATE_SECONDS = 2
"""More than it takes from a container to its state, on a busy machine."""
PREPARING = re.compile(r" agent-session-preparing-(\d+)-")
"""How containers are named that only prepare an image's layers, also after their process."""


class Builds:
    """One build at a time, and the removal of what earlier ones left."""

    def __init__(self, podman: Connection) -> None:
        self._podman = podman
        self._folder: build_folders.Folder | None = None
        self.going_on = False
        """Also of one that was interrupted, until it is closed."""

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image, yielding its output line by line. Raises BuildFailed with the last lines."""
        with tempfile.TemporaryFile() as archive:
            _write_context(spec.context, archive)
            archive.seek(0)
            self.remove_stale(self.stale())  # of one that was killed
            self._begin()
            answer = self._podman.call(
                "POST", "/build", f"building {spec.tag}", archive, params=_parameters(spec), stream=True
            )
            yield from self._lines(answer)
        self._end()

    def close(self) -> None:
        """Clean up after an interrupted build."""
        if self.going_on:
            with uninterrupted():
                self._end()
                self.remove_stale(self.stale())

    def stale(self) -> list[str]:
        """List containers and temporary directories of our killed builds; directories by their paths."""
        dead = []
        if self._podman.is_local:
            build_folders.await_dying(self._podman.environment)
            dead = build_folders.dead_folders(self._podman.environment)
        podman = self._podman.command()
        return [*ours(podman, workplaces(podman)), *map(str, dead)]

    def remove_stale(self, leftovers: Sequence[str]) -> None:
        """Remove the containers and directories that `stale` listed."""
        containers = [line.split()[0] for line in leftovers if not line.startswith("/")]
        if containers:
            subprocess.run(
                [*self._podman.command(), "rm", "--force", *containers], capture_output=True, check=False
            )
        for path in leftovers:
            if path.startswith("/"):
                build_folders.remove(Path(path), program.podman())

    def _lines(self, answer: Any) -> Iterator[str]:
        last = ""
        for report in answers.reports(answer):
            if "error" in report:
                self._end()
                self.remove_stale(self.stale())  # where it was the service that ended
                raise BuildFailed(f"{last}\n  {report['error'].strip()}".strip())
            for line in report.get("stream", "").splitlines():
                last = line or last
                yield line

    def _begin(self) -> None:
        """Start a new service for the build if the present one is ours: so its temporary files are known."""
        self.going_on = True
        if self._podman.is_our_own:
            with uninterrupted():
                self._folder = build_folders.folder(self._podman.environment)
                self._podman.end_service(self._folder)

    def _end(self) -> None:
        with uninterrupted():
            if self._folder:
                self._podman.end_service()
                self._folder.remove(program.podman())
            self._folder = None
            self.going_on = False


def _parameters(spec: BuildSpec) -> dict[str, Any]:
    return {
        "dockerfile": "Containerfile",
        "t": spec.tag,
        "buildargs": json.dumps(dict(spec.arguments)),
        "labels": json.dumps(dict(spec.labels)),
        "nocache": spec.no_cache,
        "layers": True,
        # unsaid, no layer is ever found again (4.3.1)
        "outputformat": "application/vnd.oci.image.manifest.v1+json",
        "rm": True,
        "forcerm": True,
        "extrahosts": json.dumps([mark()]),
    }


def _write_context(context: Mapping[str, bytes | Path], archive: IO[bytes]) -> None:
    """Write a tar whose modes and times are the same on every machine, so that layers are found again."""
    import tarfile  # 3 ms that only a build need pay

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in sorted(context.items()):
            data = content.read_bytes() if isinstance(content, Path) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if data[:2] == b"#!" or data[:4] == b"\x7fELF" else 0o644
            tar.addfile(entry, io.BytesIO(data))


def mark() -> str:
    """The host entry that marks the containers of this process's builds."""
    return f"process-{os.getpid()}.agent-session.invalid:127.0.0.1"


def preparing_name() -> str:
    """A name for a container that only prepares an image's layers."""
    return f"agent-session-preparing-{os.getpid()}-{os.urandom(6).hex()}"


def workplaces(podman: Sequence[str]) -> list[str]:
    """List id, name and state of each container that a build works in.

    Podman 4.3.1 leaves them when the build is cut off.
    """
    columns = "{{.ID}} {{.Names}} {{.Status}}"
    listing = [*podman, "ps", "--all", "--external", "--no-trunc", f"--format={columns}"]
    lines = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.splitlines()
    return sorted(
        line
        for line in lines
        if (line.endswith(" Storage") and "working-container" in line) or PREPARING.search(line)
    )


def ours(podman: Sequence[str], workplaces: Sequence[str]) -> list[str]:
    """Select the containers that a build of ours made and in which no other living process works.

    Where Podman's files are on another machine, only names tell.

    A container without a state was made by a service that ended at that moment. Its maker is unknown, and it
    is of no use to any process.
    """
    if not workplaces:
        return []
    asked = [*podman, "info", "--format", "{{.Store.GraphRoot}}"]
    storage = Path(
        subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "/nonexistent"
    )
    deadline = time.monotonic() + STATE_SECONDS
    while any(_has_no_state(one, storage) for one in workplaces) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [workplace for workplace in workplaces if _is_ours(workplace, storage)]


def _is_ours(workplace: str, storage: Path) -> bool:
    for file in _states(workplace, storage):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            hosts = json.loads(file.read_bytes()).get("CommonBuildOpts", {}).get("AddHost") or ()
            return any(_is_over(mark[1]) for host in hosts if (mark := MARK.fullmatch(host)))
    if preparing := PREPARING.search(workplace):
        return _is_over(preparing[1])
    return _has_no_state(workplace, storage) or "agent-session-" in workplace


def _has_no_state(workplace: str, storage: Path) -> bool:
    return storage.is_dir() and not PREPARING.search(workplace) and not _states(workplace, storage)


def _states(workplace: str, storage: Path) -> list[Path]:
    return list(storage.glob(f"*-containers/{workplace.split()[0]}/userdata/buildah.json"))


def _is_over(pid: str) -> bool:
    return int(pid) == os.getpid() or not Path("/proc", pid).exists()
