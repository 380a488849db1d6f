"""All that an account has: what a command must leave as it was, or as it promised."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agent_session.sessions.names import container_name, next_name, volume_names
from tests.account import Account
from tests.waiting import COMMAND_SECONDS, SECONDS, until

PODMANS = {"libpod", "containers", "crun", "runc", "netns", "networks", "bus", "systemd"}
"""In XDG_RUNTIME_DIR: what Podman and its runtimes keep there."""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Names of all there is; containers and sessions with their states."""

    containers: frozenset[str]
    volumes: frozenset[str]
    networks: frozenset[str]
    secrets: frozenset[str]
    images: frozenset[str]
    files: frozenset[str]
    processes: frozenset[str]

    def unlike(self, other: "Inventory") -> str:
        """What is here and not there (+), there and not here (-); nothing where they are the same."""
        found = []
        for kind in fields(self):
            here, there = getattr(self, kind.name), getattr(other, kind.name)
            found += [f"+{kind.name}: {name}" for name in sorted(here - there)]
            found += [f"-{kind.name}: {name}" for name in sorted(there - here)]
        return "; ".join(found)

    def is_between(self, one: "Inventory", other: "Inventory") -> bool:
        """Whether each thing is as in one of the two: what both have is here,
        and nothing that neither has.
        """
        pairs = (
            (getattr(self, kind.name), getattr(one, kind.name), getattr(other, kind.name))
            for kind in fields(self)
        )
        return all(first & second <= here <= first | second for here, first, second in pairs)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("d", timeout=COMMAND_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(COMMAND_SECONDS)
        self.sock.connect(str(self._path))


class Storekeeper:
    """Asks Podman by a service of its own, at an address that agent-session does not know."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._socket = account.folder / "keeper.sock"
        self.open()
        self._before = self._temporary()

    def open(self) -> None:
        """Begin the service."""
        self._socket.unlink(missing_ok=True)
        self._account.podman(
            "info"
        )  # the first podman of an account stays in the foreground as two processes
        command = ["podman", "--log-level=error", "system", "service", "--time=0", f"unix://{self._socket}"]
        self._service = subprocess.Popen(
            command, env=self._account.environment, cwd=self._account.home, start_new_session=True
        )
        until(self._socket.exists, "the storekeeper's service")

    def close(self) -> None:
        """End the service."""
        self._service.terminate()
        self._service.wait()

    def ask(self, method: str, path: str) -> Any:
        """One request; None where the answer is no."""
        connection = _Connection(self._socket)
        try:
            connection.request(method, f"/v4.0.0/libpod{path}")
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return json.loads(body) if answer.status < 400 and body else None

    def states(self) -> dict[str, bool]:
        """Every container's name, also of builds, and whether it runs."""
        listed = self.ask("GET", "/containers/json?all=true&external=true") or []
        return {item["Names"][0]: item["State"] == "running" for item in listed}

    def look(self) -> Inventory:
        """All there is now; processes get a moment to end.

        Who begins later is a monitor's, which clears up after an exec for itself.
        """
        lasting = self.settled()
        return Inventory(
            containers=frozenset(
                f"{name} {'runs' if runs else 'rests'}" for name, runs in self.states().items()
            ),
            volumes=frozenset(item["Name"] for item in self.ask("GET", "/volumes/json") or []),
            networks=frozenset(item["name"] for item in self.ask("GET", "/networks/json") or []),
            secrets=frozenset(item["Spec"]["Name"] for item in self.ask("GET", "/secrets/json") or []),
            images=frozenset(self._images()),
            files=frozenset(self._files()),
            processes=frozenset(lasting.values()),
        )

    def remove(self, *sessions: str) -> None:
        """Whatever there is of these sessions."""
        for name in sessions:
            for container in (container_name(name), next_name(name)):
                self.ask("DELETE", f"/containers/{container}?force=true&timeout=0")
            for volume in volume_names(name):
                self.ask("DELETE", f"/volumes/{volume}")

    def clear(self) -> None:
        """Take away what a build left, so that what one cell of a matrix found is not found by all after
        it.
        """
        for name in self.states():
            if "working-container" in name:
                self._account.podman_done("rm", "--force", name)
        self._account.podman_done("unshare", "sh", "-c", 'rm -rf "$0"/*', str(self._account.folder / "tmp"))

    def settled(self) -> dict[int, str]:
        """Wait until no command works any more; return those that still do when the time is up."""
        deadline = time.monotonic() + SECONDS
        while (found := self._workers()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _workers(self) -> dict[int, str]:
        return {pid: name for pid, name in self._account.workers().items() if pid != self._service.pid}

    def _images(self) -> Iterator[str]:
        """Those with a name, from the storage's own index, which is quicker than Podman:
        the others are the cache of builds' steps.
        """
        indexes = list(self._account.storage.glob("*-images/images.json"))
        images = [image for index in indexes for image in json.loads(index.read_text())]
        yield from (name for image in images for name in image.get("names") or ())

    def _files(self) -> Iterator[str]:
        account = self._account
        for top in (account.home, account.runtime, account.folder / "tmp"):
            for directory, folders, files in os.walk(top):
                if directory == str(account.runtime):
                    folders[:] = [name for name in folders if name not in PODMANS]
                if directory.endswith("/.local/share/containers"):
                    folders.clear()
                    continue
                place = os.path.relpath(directory, account.folder)
                yield from (f"{place}/{name}/" for name in folders)
                for name in files:  # a lock is not its file, which stays
                    if not name.endswith(".lock"):
                        yield f"{place}/{name}" + _size(Path(directory, name)) * place.startswith(
                            "home/projects"
                        )
        yield from self._temporary() - self._before

    def _temporary(self) -> set[str]:
        """What is ours where everybody's temporary files are, whatever TMPDIR says;
        not pytest's, not other accounts'.
        """
        return {str(path) for path in Path("/tmp").glob(f"agent-session*{os.geteuid()}*")}


def _size(file: Path) -> str:
    try:
        return f" ({file.lstat().st_size} bytes)"
    except OSError:
        return ""
