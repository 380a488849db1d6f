"""Sessions' Engine on Podman's own API.

Every quirk of Podman's versions lives here and in its neighbours: podman_connection (how it is reached and asked),
podman_specification (what it is told), podman_answers (what it says), podman_images, podman_builds, podman_networks,
podman_errand (throw-away containers), podman_roots (a container's files). Commands in a container go through the podman
command: by the API each leaves a monitor behind for five minutes (Podman 4.3.1), and the bindings know no stdin.
"""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import IO

from agent_session.engine import limits
from agent_session.engine.podman import (
    answers,
    cgroups,
    commands,
    container_root,
    networks,
    one_off,
    processes,
    troubleshooting,
)
from agent_session.engine.podman import images as podman_images
from agent_session.engine.podman import listing as podman_listing
from agent_session.engine.podman import service as podman_service
from agent_session.engine.podman.builds import Builds, warming_name
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.specification import KEEP_ID, specification
from agent_session.engine.protocol import About, BuildSpec, Container, ContainerSpec, ExecResult, OneOff
from agent_session.errors import ConflictError, EngineRefused, NameTaken
from agent_session.host.signals import uninterrupted

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
EXEC_FAILED = frozenset({125, 255})
"""Exit codes of `podman exec` where it may be podman's own; with RUN_FAILED those of `podman run`."""
RUN_FAILED = frozenset({125, 126, 127})
LEAST_BYTES = 4_000_000
LEAST_FILES = 64
"""What a file system must have left for a session's home to be begun there."""


class PodmanEngine:
    """Podman, reached on first use."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        listing: podman_listing.Listing | None = None,
        service: podman_service.Service | None = None,
    ) -> None:
        """`listing`, if it has been begun, answers the first question for containers; a `service` is used, and ended with us."""
        self._podman = Connection(environment, listing=listing, service=service)
        self._builds = Builds(self._podman)

    def __enter__(self) -> "PodmanEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect_soon(self) -> None:
        """Start our own service where there has to be one, and do not wait for it."""
        self._podman.begin()

    def close(self) -> None:
        """End our own service, if we started one, and clear away after a build that was interrupted."""
        self._podman.close(with_its_work=self._builds.going_on)
        self._builds.close()

    @property
    def rootful(self) -> bool:
        """Whether container root is host root."""
        if self._podman.is_given:
            return not self._podman.info()["host"]["security"]["rootless"]
        return os.geteuid() == 0

    @property
    def architecture(self) -> str:
        """Of the machine the containers run on."""
        machine = self._podman.info()["host"]["arch"] if self._podman.is_given else os.uname().machine
        return ARCHITECTURES.get(machine, machine)

    def containers(self, label: str) -> list[Container]:
        """All containers that carry the label."""
        if self._podman.asks_by_command:
            return [
                answers.container(item)
                for item in self._podman.listing()
                if not label or label in (item["Labels"] or {})
            ]
        return self._listed({"label": [label]} if label else {})

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        if self._podman.asks_by_command:
            found = [answers.container(item) for item in self._podman.listing() if name in item["Names"]]
        else:
            found = self._listed({"name": [f"^{re.escape(name)}$"]})
        return found[0] if found else None

    @property
    def remote(self) -> bool:
        """Whether an address was given."""
        return self._podman.is_given

    def connect(self) -> None:
        """Reach Podman now."""
        self._podman.open()

    def info(self) -> About:
        """What Podman says of itself."""
        return answers.about(self._podman.info(), remote=self.remote)

    def stale_builds(self) -> list[str]:
        """What builds that were killed have left."""
        return self._builds.leftovers()

    def remove_stale_builds(self, leftovers: Sequence[str]) -> None:
        """Remove some of that."""
        self._builds.sweep(leftovers)

    def unenforced(self) -> Mapping[str, str]:
        """Which limits a container will not have, and why."""
        return limits.unenforced(self._kernel(), rootful=self.rootful)

    def check(self) -> None:
        """Podman without subordinate ids answers, lists, and fails late with an obscure word: say so before."""
        if not self._podman.is_given and not self.rootful and not podman_service.has_subordinate_ids():
            raise troubleshooting.explain(
                "no subuid ranges found for you", "looking at /etc/subuid and /etc/subgid"
            )

    def equivalent_commands(self, spec: ContainerSpec) -> list[list[str]]:
        """The same as `create` and `start`, for the podman command."""
        return [
            [*self._podman.command(), *words]
            for words in commands.commands(
                spec,
                rootful=self.rootful,
                kernel=self._kernel(),
                network_there=bool(spec.network and networks.look(self._podman, spec.network)),
            )
        ]

    def create(self, spec: ContainerSpec) -> None:
        """Make a container and its named volumes; those go again if it cannot be made."""
        self.check()
        made: list[str] = []
        try:
            for mount in spec.mounts:
                if mount.kind == "volume" and self._create_volume(mount.source, spec.labels):
                    made.append(mount.source)
            self._podman.call(
                "POST",
                "/containers/create",
                f"creating {spec.name}",
                json.dumps(specification(spec, rootful=self.rootful, kernel=self._kernel())),
            )
        except BaseException as error:
            for volume in made:
                self.remove_volume(volume)
            if isinstance(error, ConflictError):
                raise NameTaken(spec.labels.get("agent-session.name", spec.name), spec.name) from None
            raise

    def rename(self, name: str, new: str) -> None:
        """Give a container another name."""
        try:
            self._podman.call("POST", f"/containers/{name}/rename", f"renaming {name}", params={"name": new})
        except ConflictError:
            raise NameTaken(new, new) from None

    def start(self, name: str) -> None:
        """Start a container."""
        self._podman.call("POST", f"/containers/{name}/start", f"starting {name}")

    def stop(self, name: str) -> None:
        """End a container. By the command where that is the first thing that changes something: it takes no service."""
        if self._podman.asks_by_command:
            self._podman.order(["stop", name], f"stopping {name}")
            return
        self._podman.call("POST", f"/containers/{name}/stop", f"stopping {name}")

    def remove(self, name: str) -> None:
        """Remove a container; its named volumes stay."""
        self._podman.call(
            "DELETE",
            f"/containers/{name}",
            f"removing {name}",
            params={"force": True, "timeout": 0},
            absent_is_fine=True,
        )

    def remove_volume(self, name: str) -> None:
        """Remove a named volume."""
        self._podman.call("DELETE", f"/volumes/{name}", f"removing the volume {name}", absent_is_fine=True)

    def volumes(self, label: str) -> Mapping[str, Mapping[str, str]]:
        """The labels of all named volumes that carry the label."""
        params = {"filters": json.dumps({"label": [label]} if label else {})}
        answer = self._podman.call("GET", "/volumes/json", "listing volumes", params=params)
        return {volume["Name"]: volume.get("Labels") or {} for volume in answer.json() or ()}

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a named volume."""
        found = self._podman.look(f"/volumes/{name}/json", f"reading the volume {name}")
        return None if found is None else found.get("Labels") or {}

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a named volume."""
        if not self._create_volume(name, labels):
            raise ConflictError(f"the volume {name} exists already", hint=f"podman volume inspect {name}")

    def volume_path(self, name: str) -> Path | None:
        """Where a volume's files can be read: not where Podman is another machine's."""
        if self._podman.is_given:
            return None
        found = self._podman.look(f"/volumes/{name}/json", f"reading the volume {name}")
        place = Path(found.get("Mountpoint") or "/nonexistent") if found else None
        return place if place and os.access(place, os.R_OK | os.X_OK) else None

    def open_root(self, container_id: str, pid: int) -> int | None:
        """A running container's root directory: not where Podman is another machine's. No service is started to find that out."""
        here = self._podman.is_local
        return container_root.open_root(container_id, pid) if here else None

    def create_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make a network."""
        return networks.create(self._podman, name, labels)

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        networks.remove(self._podman, name)

    def secret_id(self, name: str) -> str | None:
        """A secret's id; each new content has a new one."""
        found = self._podman.look(f"/secrets/{name}/json", f"looking for the secret {name}")
        return str(found["ID"]) if found else None

    def put_secret(self, name: str, content: bytes) -> None:
        """Keep a secret. The type matters: Podman 4.3 would take a form's body for parameters."""
        self.remove_secret(name)
        headers = {"Content-Type": "application/octet-stream"}
        self._podman.call(
            "POST",
            "/secrets/create",
            f"storing the secret {name}",
            content,
            params={"name": name},
            headers=headers,
        )

    def remove_secret(self, name: str) -> None:
        """Forget a secret."""
        self._podman.call("DELETE", f"/secrets/{name}", f"removing the secret {name}", absent_is_fine=True)

    def run_one_off(
        self,
        errand: OneOff,
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run an errand; when it is interrupted or too slow, its container goes."""
        name = one_off.new_name()
        argv = self._errand(errand, name)
        try:
            done = processes.whole(argv, stdin=stdin, stdout=stdout, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.remove(name)
            return ExecResult(exit_code=124, stderr=f"not done within {timeout:g} s".encode())
        except BaseException:
            with uninterrupted():
                self.remove(name)
            raise
        return _ended(done, f"running {errand.command[0]} in {errand.image}", failed=RUN_FAILED)

    def one_off_command(self, errand: OneOff) -> list[str]:
        """The argv that runs an errand on the caller's terminal."""
        return self._errand(errand, one_off.new_name(), terminal=True)

    def exec(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a command in a running container."""
        argv = [*self._podman.command(), "exec", "-i", name, *command]
        try:
            done = processes.whole(argv, stdin=stdin, stdout=stdout, timeout=timeout)
        except subprocess.TimeoutExpired:
            return ExecResult(exit_code=124, stderr=f"no answer within {timeout:g} s".encode())
        return _ended(done, f"running {command[0]} in {name}", failed=EXEC_FAILED)

    def exec_stream(
        self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> Generator[bytes, None, ExecResult]:
        """Run a command in a running container, telling what it says as it comes."""
        argv = [*self._podman.command(), "exec", "-i", name, *command]
        done = yield from processes.stream(argv, stdin=stdin, timeout=timeout)
        return _ended(done, f"running {command[0]} in {name}", failed=EXEC_FAILED)

    def log_tail(self, name: str) -> str:
        """What `podman logs` tells of its end."""
        argv = [*self._podman.command(), "logs", "--tail=8", name]
        try:
            done = processes.whole(argv, stdin=b"", stdout=None, timeout=10)
        except subprocess.TimeoutExpired:
            return ""
        return "" if done.exit_code else (done.stdout + done.stderr).decode("utf-8", "replace")

    def exec_as_root(self, name: str, command: Sequence[str]) -> None:
        """Start a command in a container as its root."""
        as_root = ["--privileged", "--user", "0", "--workdir", "/"]
        argv = [*self._podman.command(), "exec", "--detach", *as_root, name, *command]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise troubleshooting.explain(done.stderr, f"starting {command[0]} in {name}")

    def attach_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = True
    ) -> list[str]:
        """The argv for os.execvp; no key detaches (podman's own Ctrl-P would be taken from the agent)."""
        variables = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
        streams = ["-it", "--detach-keys", ""] if terminal else ["-i"]
        return [*self._podman.command(), "exec", *streams, *variables, name, *command]

    def image_exists(self, reference: str) -> bool:
        """Whether the image is there."""
        path = f"/images/{reference}/exists"
        return self._podman.call("GET", path, "looking for an image", absent_is_fine=True) is not None

    def images(self) -> set[str]:
        """All references of local images."""
        return podman_images.references(self._podman)

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image."""
        return podman_images.pull(self._podman, reference)

    def import_image(self, archive: Path, reference: str) -> None:
        """Make an image of an archive."""
        with archive.open("rb") as data:
            self._podman.call(
                "POST", "/images/import", f"importing {archive}", data, params={"reference": reference}
            )

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image."""
        return self._builds.build(spec)

    def prepare_image(self, reference: str) -> None:
        """Map the image's layers to the session's user ids now: seconds for a large image, which would look like a hang at start."""
        # 4.3.1 stumbles over a nil pointer where a build that was killed left a part of the image's history: then it cannot say.
        with contextlib.suppress(EngineRefused):
            answer = self._podman.call("GET", f"/images/{reference}/json", f"looking at {reference}").json()
            answers.check_command(answer)
        if not self.rootful:
            name = warming_name()
            spec = {"name": name, "image": reference, "userns": KEEP_ID, "user": "1000:1000", "remove": True}
            try:
                self._podman.call("POST", "/containers/create", f"preparing {reference}", json.dumps(spec))
            finally:
                with uninterrupted():
                    self.remove(name)

    def remove_image(self, reference: str) -> None:
        """Remove an image nobody uses."""
        podman_images.remove(self._podman, reference)

    def _errand(self, errand: OneOff, name: str, *, terminal: bool = False) -> list[str]:
        words = one_off.arguments(errand, name=name, rootful=self.rootful, terminal=terminal)
        return [*self._podman.command(), *words]

    def _kernel(self) -> limits.Kernel:
        if not self._podman.is_given:
            return cgroups.kernel(rootful=self.rootful)
        host = self._podman.info()["host"]
        controllers = frozenset(host.get("cgroupControllers") or ())
        return limits.Kernel(cgroups=host["cgroupVersion"], controllers=controllers, release=host["kernel"])

    def _listed(self, filters: Mapping[str, list[str]]) -> list[Container]:
        params = {"all": True, "filters": json.dumps(filters)}
        answer = self._podman.call("GET", "/containers/json", "listing containers", params=params)
        return [answers.container(item) for item in answer.json()]

    def _create_volume(self, name: str, labels: Mapping[str, str]) -> bool:
        if self.volume_labels(name) is not None:
            return False
        doing = f"creating the volume {name}"
        made = self._podman.call(
            "POST", "/volumes/create", doing, json.dumps({"Name": name, "Label": dict(labels)})
        )
        try:
            self._check_room(made.json().get("Mountpoint") or "", doing)
        except EngineRefused:
            self.remove_volume(name)
            raise
        return True

    def _check_room(self, path: str, doing: str) -> None:
        """Podman (4.3.1) may wait for itself for ever where what an image has in a volume's place does not fit into the volume."""
        place = self._podman.place(path) if path else None
        with contextlib.suppress(OSError):
            room = os.statvfs(place) if place else None
            if room and (
                room.f_bavail * room.f_frsize < LEAST_BYTES
                or (room.f_files > 0 and room.f_favail < LEAST_FILES)
            ):
                raise troubleshooting.explain("no space left on device", doing)


def _ended(done: ExecResult, doing: str, *, failed: Set[int]) -> ExecResult:
    """A command's own end; EngineRefused where it is podman's that speaks, by one of the codes with which it says that it `failed`."""
    said = done.stderr.decode("utf-8", "replace")
    if done.exit_code in failed and said.startswith("Error:"):
        raise troubleshooting.explain(said, doing)
    return done
