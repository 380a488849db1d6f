"""The only importer of `podman`: sessions' Engine on Podman's own API.

Every quirk of the bindings and of Podman's versions lives here and in its neighbours: podman_service (where it answers),
podman_http (how it is asked), podman_specification (what it is told), podman_answers (what it says), podman_errand (throw-away
containers), podman_roots (a container's files). Commands in a container go through the podman command: by the API each leaves a
monitor behind for five minutes (Podman 4.3.1), and the bindings know no stdin. Importing the bindings costs 50 ms (150 on a busy
machine), which only a Podman on another machine is worth: on this one, podman_http says the same to the same API.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agent_session import (
    cgroups,
    limits,
    podman_answers,
    podman_builds,
    podman_commands,
    podman_errand,
    podman_listing,
    podman_roots,
    podman_service,
    podman_stream,
    troubleshooting,
)
from agent_session.engine import About, BuildSpec, Container, ContainerSpec, Errand, ExecResult
from agent_session.errors import AgentSessionError, BuildFailed, ConflictError, NameTaken, PodmanRefused
from agent_session.podman_specification import KEEP_ID, root_limits, specification
from agent_session.signals import uninterrupted

if TYPE_CHECKING:
    from agent_session import podman_http

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
HALF_IMAGE = re.compile(r'locating item named "manifest" for image with ID "([0-9a-f]{64})"')
ANSWER_SECONDS = 900  # a first create may copy a large image's layers


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
        self._environment = environment
        self._listing = listing or podman_listing.Listing()
        self._begun = service
        self._client: Any = None
        self._opening = threading.Lock()
        self._info: dict[str, Any] | None = None
        self._building = False
        self._folder: podman_builds.Folder | None = None

    def __enter__(self) -> "PodmanEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self) -> None:
        """Start our own service where there has to be one, and do not wait: it takes 30 ms, in which a caller imports what it needs.

        What goes wrong is told by the first call. For one question alone the podman command is quicker than a service.
        """
        if podman_listing.is_local(self._environment) and not self._begun:
            with contextlib.suppress(AgentSessionError):
                self._begun = podman_service.connect(self._environment)

    def close(self) -> None:
        """End our own service, if we started one, and clear away after a build that was interrupted."""
        self._listing.drop()
        if self._begun:
            service = self._begun
            if not self._client:
                with contextlib.suppress(AgentSessionError):
                    service.wait()  # before it answers, a signal might not reach all of it
            self._begun = self._client = None
            service.close(with_its_work=self._building)
        if self._building:
            with uninterrupted():
                self._end_build()
                self.sweep(self.leftovers())

    @property
    def rootful(self) -> bool:
        """Whether container root is host root."""
        if self._service.given:
            return not self._host_info()["security"]["rootless"]
        return os.geteuid() == 0

    @property
    def architecture(self) -> str:
        """Of the machine the containers run on."""
        machine = self._host_info()["arch"] if self._service.given else os.uname().machine
        return ARCHITECTURES.get(machine, machine)

    def containers(self, label: str) -> list[Container]:
        """All containers that carry the label."""
        if self._asks_by_command:
            return [
                podman_answers.container(item)
                for item in self._listing_now()
                if not label or label in (item["Labels"] or {})
            ]
        return self._listed({"label": [label]} if label else {})

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        if self._asks_by_command:
            found = [podman_answers.container(item) for item in self._listing_now() if name in item["Names"]]
        else:
            found = self._listed({"name": [f"^{re.escape(name)}$"]})
        return found[0] if found else None

    @property
    def remote(self) -> bool:
        """Whether an address was given."""
        return self._service.given

    def open(self) -> None:
        """Reach Podman now: its own service's leash is held by the thread that started it (PR_SET_PDEATHSIG)."""
        podman_service.podman()
        self._open()

    def about(self) -> About:
        """What Podman says of itself."""
        self._host_info()
        return podman_answers.about(self._info or {}, remote=self.remote)

    def leftovers(self) -> list[str]:
        """Containers and temporary directories of builds of ours, these by their paths."""
        dead = []
        if podman_listing.is_local(self._environment):
            podman_builds.await_dying(self._environment)
            dead = podman_builds.dead_folders(self._environment)
        return [*podman_builds.ours(self._podman(), self._workplaces()), *map(str, dead)]

    def sweep(self, leftovers: Sequence[str]) -> None:
        """Remove them."""
        containers = [line.split()[0] for line in leftovers if not line.startswith("/")]
        if containers:
            subprocess.run([*self._podman(), "rm", "--force", *containers], capture_output=True, check=False)
        for path in leftovers:
            if path.startswith("/"):
                podman_builds.remove(Path(path), podman_service.podman())

    def unenforced(self) -> Mapping[str, str]:
        """Which limits a container will not have, and why."""
        return limits.unenforced(self._kernel(), rootful=self.rootful)

    def check(self) -> None:
        """Podman without subordinate ids answers, lists, and fails late with an obscure word: say so before."""
        if not self._service.given and not self.rootful and not podman_service.has_subordinate_ids():
            raise troubleshooting.explain("no subuid ranges found for you", "looking at /etc/subuid and /etc/subgid")

    def as_commands(self, spec: ContainerSpec) -> list[list[str]]:
        """The same as `create` and `start`, for the podman command."""
        return [
            [*self._podman(), *words]
            for words in podman_commands.commands(
                spec,
                rootful=self.rootful,
                kernel=self._kernel(),
                network_there=bool(spec.network and self._network(spec.network)),
            )
        ]

    def create(self, spec: ContainerSpec) -> None:
        """Make a container and its named volumes; those go again if it cannot be made."""
        self.check()
        made = [m.source for m in spec.mounts if m.kind == "volume" and self._create_volume(m.source, spec.labels)]
        try:
            self._call(
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
            self._call("POST", f"/containers/{name}/rename", f"renaming {name}", params={"name": new})
        except ConflictError:
            raise NameTaken(new, new) from None

    def start(self, name: str) -> None:
        """Start a container."""
        self._call("POST", f"/containers/{name}/start", f"starting {name}")

    def stop(self, name: str) -> None:
        """End a container."""
        self._call("POST", f"/containers/{name}/stop", f"stopping {name}")

    def remove(self, name: str) -> None:
        """Remove a container; its named volumes stay."""
        self._call(
            "DELETE",
            f"/containers/{name}",
            f"removing {name}",
            params={"force": True, "timeout": 0},
            absent_is_fine=True,
        )

    def remove_volume(self, name: str) -> None:
        """Remove a named volume."""
        self._call("DELETE", f"/volumes/{name}", f"removing the volume {name}", absent_is_fine=True)

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a named volume."""
        answer = self._call("GET", f"/volumes/{name}/json", f"reading the volume {name}", absent_is_fine=True)
        return None if answer is None else answer.json().get("Labels") or {}

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a named volume."""
        if not self._create_volume(name, labels):
            raise ConflictError(f"the volume {name} exists already", hint=f"podman volume inspect {name}")

    def volume_path(self, name: str) -> Path | None:
        """Where a volume's files can be read: not where Podman is another machine's."""
        if self._service.given:
            return None
        answer = self._call("GET", f"/volumes/{name}/json", f"reading the volume {name}", absent_is_fine=True)
        place = Path(answer.json().get("Mountpoint") or "/nonexistent") if answer else None
        return place if place and os.access(place, os.R_OK | os.X_OK) else None

    def root(self, container_id: str, pid: int) -> int | None:
        """A running container's root directory: not where Podman is another machine's. No service is started to find that out."""
        here = podman_listing.is_local(self._environment)
        return podman_roots.open_root(container_id, pid) if here else None

    def create_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make a network. CNI, which Podman 4 may have instead of netavark, has names only with a plugin that is rarely there."""
        found = self._network(name)
        made = found is None
        if made:
            try:
                body = {"name": name, "dns_enabled": True, "labels": dict(labels)}
                self._call("POST", "/networks/create", f"creating the network {name}", json.dumps(body))
            except ConflictError:  # somebody else was quicker
                made = False
            except PodmanRefused:
                return False
            found = self._network(name)
        if found and found.get("dns_enabled"):
            return True
        if made:
            self.remove_network(name)
        return False

    def remove_network(self, name: str) -> None:
        """Remove a network."""
        doing = f"removing the network {name}"
        try:
            self._call("DELETE", f"/networks/{name}", doing, absent_is_fine=True)
        except PodmanRefused as error:
            if "being used" not in error.message:
                raise
            raise ConflictError(error.message, hint="podman ps -a") from None

    def _network(self, name: str) -> dict[str, Any] | None:
        answer = self._call("GET", f"/networks/{name}/json", f"looking for the network {name}", absent_is_fine=True)
        if answer is None:
            return None
        found: dict[str, Any] = answer.json()
        return found

    def secret_id(self, name: str) -> str | None:
        """A secret's id; each new content has a new one."""
        answer = self._call("GET", f"/secrets/{name}/json", f"looking for the secret {name}", absent_is_fine=True)
        return str(answer.json()["ID"]) if answer else None

    def put_secret(self, name: str, content: bytes) -> None:
        """Keep a secret. The type matters: Podman 4.3 would take a form's body for parameters."""
        self.remove_secret(name)
        headers = {"Content-Type": "application/octet-stream"}
        self._call(
            "POST", "/secrets/create", f"storing the secret {name}", content, params={"name": name}, headers=headers
        )

    def remove_secret(self, name: str) -> None:
        """Forget a secret."""
        self._call("DELETE", f"/secrets/{name}", f"removing the secret {name}", absent_is_fine=True)

    def run_once(
        self, errand: Errand, *, stdin: bytes | IO[bytes] = b"", stdout: IO[bytes] | None = None, timeout: float = 60
    ) -> ExecResult:
        """Run an errand; when it is interrupted or too slow, its container goes."""
        name = _errand_name()
        argv = self._errand(errand, name)
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        try:
            done = subprocess.run(
                argv, **given, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            self.remove(name)
            return ExecResult(exit_code=124, stderr=f"not done within {timeout:g} s".encode())
        except BaseException:
            with uninterrupted():
                self.remove(name)
            raise
        said = done.stderr.decode("utf-8", "replace")
        if done.returncode in {125, 126, 127} and said.startswith("Error:"):
            raise troubleshooting.explain(said, f"running {errand.command[0]} in {errand.image}")
        return ExecResult(exit_code=done.returncode, stdout=done.stdout or b"", stderr=done.stderr)

    def errand_command(self, errand: Errand) -> list[str]:
        """The argv that runs an errand on the caller's terminal."""
        return self._errand(errand, _errand_name(), terminal=True)

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 60,
    ) -> ExecResult:
        """Run a command in a running container."""
        argv = [*self._podman(), "exec", "-i", name, *command]
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        try:
            done = subprocess.run(
                argv, **given, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return ExecResult(exit_code=124, stderr=f"no answer within {timeout:g} s".encode())
        ended = ExecResult(exit_code=done.returncode, stdout=done.stdout or b"", stderr=done.stderr)
        return _ended(ended, f"running {command[0]} in {name}")

    def stream(
        self, name: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> Generator[bytes, None, ExecResult]:
        """Run a command in a running container, telling what it says as it comes."""
        argv = [*self._podman(), "exec", "-i", name, *command]
        done = yield from podman_stream.stream(argv, stdin=stdin, timeout=timeout)
        return _ended(done, f"running {command[0]} in {name}")

    def oversee(self, name: str, command: Sequence[str]) -> None:
        """Start a command in a container as its root."""
        argv = [*self._podman(), "exec", "--detach", "--privileged", "--user", "0", "--workdir", "/", name, *command]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise troubleshooting.explain(done.stderr, f"starting {command[0]} in {name}")

    def attach_command(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = True
    ) -> list[str]:
        """The argv for os.execvp; no key detaches (podman's own Ctrl-P would be taken from the agent)."""
        variables = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
        streams = ["-it", "--detach-keys", ""] if terminal else ["-i"]
        return [*self._podman(), "exec", *streams, *variables, name, *command]

    def image_exists(self, reference: str) -> bool:
        """Whether the image is there."""
        return self._call("GET", f"/images/{reference}/exists", "looking for an image", absent_is_fine=True) is not None

    def images(self) -> set[str]:
        """All references of local images."""
        try:
            answer = self._call("GET", "/images/json", "listing images")
        except PodmanRefused as error:
            if not (half := HALF_IMAGE.search(error.message)):
                raise
            # A build that was killed as it stored one: until that is gone, Podman (4.3.1) lists none.
            self._call("DELETE", f"/images/{half[1]}", "removing half an image", params={"force": True})
            answer = self._call("GET", "/images/json", "listing images")
        return {name for image in answer.json() for name in image.get("RepoTags") or image.get("Names") or ()}

    def pull(self, reference: str) -> Iterator[str]:
        """Fetch an image."""
        answer = self._call(
            "POST", "/images/pull", f"fetching {reference}", params={"reference": reference}, stream=True
        )
        for report in podman_answers.reports(answer):
            if "error" in report:
                raise troubleshooting.explain(report["error"], f"fetching {reference}")
            yield from report.get("stream", "").splitlines()

    def import_image(self, archive: Path, reference: str) -> None:
        """Make an image of an archive."""
        with archive.open("rb") as data:
            self._call("POST", "/images/import", f"importing {archive}", data, params={"reference": reference})

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image."""
        params = {
            "dockerfile": "Containerfile",
            "t": spec.tag,
            "buildargs": json.dumps(dict(spec.arguments)),
            "labels": json.dumps(dict(spec.labels)),
            "nocache": spec.no_cache,
            "layers": True,
            "outputformat": "application/vnd.oci.image.manifest.v1+json",  # unsaid, no layer is ever found again (4.3.1)
            "rm": True,
            "forcerm": True,
            "extrahosts": json.dumps([podman_builds.MARK]),
        }
        with tempfile.TemporaryFile() as archive:
            _write_context(spec.context, archive)
            archive.seek(0)
            self.sweep(self.leftovers())  # of one that was killed
            self._begin_build()
            answer = self._call("POST", "/build", f"building {spec.tag}", archive, params=params, stream=True)
            last = ""
            for report in podman_answers.reports(answer):
                if "error" in report:
                    self._end_build()
                    self.sweep(self.leftovers())  # where it was the service that ended
                    raise BuildFailed(f"{last}\n  {report['error'].strip()}".strip(), hint="")
                for line in report.get("stream", "").splitlines():
                    last = line or last
                    yield line
        self._end_build()

    def _begin_build(self) -> None:
        """With a service of its own, if the one at hand is ours: then its temporary files are where we find them."""
        self._building = True
        if self._service.process:
            with uninterrupted():
                self._folder = podman_builds.folder(self._environment)
                self._end_service()

    def _end_build(self) -> None:
        with uninterrupted():
            if self._folder:
                self._end_service()
                self._folder.remove(podman_service.podman())
            self._folder = None
            self._building = False

    def _end_service(self) -> None:
        """End our own service; the next call has another."""
        if self._begun:
            self._begun.close()
        self._begun = self._client = None

    def _workplaces(self) -> list[str]:
        return podman_builds.workplaces(self._podman())

    def warm(self, reference: str) -> None:
        """Map the image's layers to the session's user ids now: seconds for a large image, which would look like a hang at start."""
        if not self.rootful:
            name = f"{podman_builds.WARMING}{os.urandom(6).hex()}"
            spec = {"name": name, "image": reference, "userns": KEEP_ID, "user": "1000:1000", "remove": True}
            try:
                self._call("POST", "/containers/create", f"preparing {reference}", json.dumps(spec))
            finally:
                with uninterrupted():
                    self.remove(name)

    def remove_image(self, reference: str) -> None:
        """Remove an image nobody uses."""
        try:
            self._call("DELETE", f"/images/{reference}", f"removing {reference}", absent_is_fine=True)
        except ConflictError:
            return
        except PodmanRefused as error:
            if "read-only" not in error.message:  # of an additional image store
                raise

    def _errand(self, errand: Errand, name: str, *, terminal: bool = False) -> list[str]:
        user = ["--userns=keep-id:uid=1000,gid=1000", "--user=1000:1000"]
        if self.rootful:
            limits = root_limits()
            user = ["--user=0:0", *(f"--ulimit={x['type']}={x['soft']}:{x['hard']}" for x in limits)]
        return [*self._podman(), *podman_errand.arguments(errand, name=name, user=user, terminal=terminal)]

    @property
    def _service(self) -> podman_service.Service:
        return self._open()[0]

    def _open(self) -> tuple[podman_service.Service, Any]:
        with self._opening:
            if self._begun and self._client and self._begun.ended:
                self._begun.close()  # our own service ends when nobody asks it for a while
                self._begun = self._client = None
            if not self._begun:
                self._begun = podman_service.connect(self._environment, self._folder)
            if not self._client:
                self._client = self._client_of(self._begun.url)
                try:
                    self._begun.wait()
                except AgentSessionError:
                    self._begun = self._client = None
                    raise
            return self._begun, self._client

    def _client_of(self, url: str) -> "podman_http.Client | _Bindings":
        if url.startswith("unix://"):
            from agent_session import podman_http  # 10 ms, while the service boots

            return podman_http.Client(url.removeprefix("unix://"), timeout=ANSWER_SECONDS)
        try:
            return _Bindings(url)
        except ValueError as error:
            raise troubleshooting.unreachable(url, str(error), self._environment) from error

    def _podman(self) -> list[str]:
        command = podman_service.podman()
        if podman_listing.is_local(self._environment) or not self._service.given:
            return [command]
        return [command, "--url", self._service.url]

    def _kernel(self) -> limits.Kernel:
        if not self._service.given:
            return cgroups.kernel(rootful=self.rootful)
        host = self._host_info()
        controllers = frozenset(host.get("cgroupControllers") or ())
        return limits.Kernel(cgroups=host["cgroupVersion"], controllers=controllers, release=host["kernel"])

    def _host_info(self) -> dict[str, Any]:
        if self._info is None:
            self._info = self._call("GET", "/info", "asking Podman about itself").json()
        host: dict[str, Any] = self._info["host"]
        return host

    def _call(
        self,
        method: str,
        path: str,
        doing: str,
        data: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        absent_is_fine: bool = False,
    ) -> Any:
        """One request. None for an absence that is fine, otherwise the answer; every failure translated."""
        service, client = self._open()
        try:
            answer = client.request(method, path, params=params, data=data, headers=headers, stream=stream)
        except OSError as error:  # so are the bindings' APIError and requests' own
            service.notice_end()  # then what is undone now is undone by another one
            raise troubleshooting.unreachable(
                service.url, podman_answers.root_cause(error), self._environment
            ) from error
        if old := troubleshooting.too_old(answer.headers.get("Libpod-Api-Version", "")):
            raise old
        if answer.status_code < 400:
            return answer
        return podman_answers.refusal(answer.status_code, answer.text, doing, absent_is_fine=absent_is_fine)

    @property
    def _asks_by_command(self) -> bool:
        """One podman command answers sooner than a service that has to be started for it (45 ms, 70 ms)."""
        return not self._begun and podman_listing.is_local(self._environment)

    def _listing_now(self) -> list[dict[str, Any]]:
        podman_service.podman()
        try:
            return self._listing.answer()
        except podman_listing.Failed as error:
            raise troubleshooting.explain(str(error), "listing containers") from None

    def _listed(self, filters: Mapping[str, list[str]]) -> list[Container]:
        params = {"all": True, "filters": json.dumps(filters)}
        answer = self._call("GET", "/containers/json", "listing containers", params=params)
        return [podman_answers.container(item) for item in answer.json()]

    def _create_volume(self, name: str, labels: Mapping[str, str]) -> bool:
        if self.volume_labels(name) is not None:
            return False
        self._call(
            "POST", "/volumes/create", f"creating the volume {name}", json.dumps({"Name": name, "Label": dict(labels)})
        )
        return True


class _Bindings:
    """Podman on another machine: the bindings know ways to it (ssh, tcp), and their import costs 50 ms."""

    def __init__(self, url: str) -> None:
        from podman.api.client import APIClient

        self._client = APIClient(base_url=url, timeout=ANSWER_SECONDS)

    def request(self, method: str, path: str, *, data: Any, headers: Any, **options: Any) -> Any:
        body = {} if data is None else {"data": data}
        body |= {"headers": headers} if headers else {}
        return getattr(self._client, method.lower())(path, **options, **body)


def _ended(done: ExecResult, doing: str) -> ExecResult:
    """A command's own end; PodmanRefused where it is podman's that speaks."""
    said = done.stderr.decode("utf-8", "replace")
    if done.exit_code in {125, 255} and said.startswith("Error:"):
        raise troubleshooting.explain(said, doing)
    return done


def _errand_name() -> str:
    return f"agent-errand-{os.urandom(6).hex()}"


def _write_context(context: Mapping[str, bytes | Path], archive: Any) -> None:
    """A tar whose modes and times say nothing of this machine, so that layers are found again."""
    import tarfile  # 3 ms that only a build need pay

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in sorted(context.items()):
            data = content.read_bytes() if isinstance(content, Path) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if data[:2] == b"#!" or data[:4] == b"\x7fELF" else 0o644
            tar.addfile(entry, io.BytesIO(data))
