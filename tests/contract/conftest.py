"""Two engines that have to keep the same promises, and a tiny image for the real one,
made of this machine's own programs.

As an ordinary user: the one in memory and rootless Podman. Root's Podman is the third, marked `rootful`.
"""

import io
import os
import re
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from agent_session.engine.command import ExecResult
from agent_session.engine.container import ContainerSpec, Mount
from agent_session.engine.image_store import BuildSpec
from agent_session.engine.podman.engine import PodmanEngine
from agent_session.engine.protocol import Engine
from tests.fake_engine import FakeEngine

PROGRAMS = (
    "sh",
    "cat",
    "chmod",
    "env",
    "false",
    "id",
    "ls",
    "mkdir",
    "readlink",
    "sleep",
    "stat",
    "touch",
    "true",
)
# Ends at once when it is told to, unlike a plain sleep as PID 1.
CONTAINERFILE = b"""ARG BASE
FROM ${BASE}
CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"]
"""
LABEL = "agent-session-contract"


@dataclass(kw_only=True)
class Bench:
    """An engine, a tiny image in it, and names of this test's own.

    What was made under them is removed afterwards.
    """

    engine: Engine
    image: str
    folder: Path
    prefix: str = field(default_factory=lambda: f"contract-{os.getpid()}-{secrets.token_hex(3)}")
    names: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{LABEL}-{self.prefix}"

    def volume(self) -> str:
        self.volumes.append(f"{self.prefix}-{len(self.volumes)}")
        return self.volumes[-1]

    def secret(self) -> str:
        self.secrets.append(f"{self.prefix}-secret-{len(self.secrets)}")
        return self.secrets[-1]

    def network(self) -> str:
        self.networks.append(f"{self.prefix}-network-{len(self.networks)}")
        return self.networks[-1]

    def image_name(self) -> str:
        self.images.append(f"localhost/{self.prefix}-{len(self.images)}:1")
        return self.images[-1]

    def spec(
        self, *mounts: Mount, name: str = "", workdir: str = "/", image: str = "", **environment: str
    ) -> ContainerSpec:
        self.names.append(name or f"{self.prefix}-{len(self.names)}")
        return ContainerSpec(
            name=self.names[-1],
            image=image or self.image,
            hostname="tiny",
            workdir=PurePosixPath(workdir),
            labels={self.label: "yes", "agent-session.name": "the-session"},
            environment=environment,
            mounts=mounts,
            stop_timeout=3,
        )

    def created(self, *mounts: Mount, workdir: str = "/", **environment: str) -> str:
        spec = self.spec(*mounts, workdir=workdir, **environment)
        self.engine.create(spec)
        return spec.name

    def running(self, *mounts: Mount, workdir: str = "/", **environment: str) -> str:
        name = self.created(*mounts, workdir=workdir, **environment)
        self.engine.start(name)
        return name

    def sh(self, name: str, script: str) -> str:
        """What a script prints in a container; it has to succeed."""
        done = self.engine.exec(name, ["sh", "-c", script])
        assert done.exit_code == 0, done.stderr.decode()
        return done.stdout.decode()

    def clean(self) -> None:
        for name in self.names:
            self.engine.remove(name)
        for volume in self.volumes:
            self.engine.remove_volume(volume)
        for image in reversed(self.images):
            self.engine.images.remove(image)
        for secret in self.secrets:
            self.engine.remove_secret(secret)
        for network in self.networks:
            self.engine.remove_network(network)


def commands_of_this_machine(_name: str, command: Sequence[str], stdin: bytes) -> ExecResult:
    """For the engine in memory: what a command does, seen on the host."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=2, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return ExecResult(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture(scope="session")
def root_file_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar with a shell, a few programs and the libraries that they need."""
    path = tmp_path_factory.mktemp("tiny") / "root.tar"
    files = {f"bin/{name}": Path(str(shutil.which(name))) for name in PROGRAMS}
    for program in list(files.values()):
        listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= {library.lstrip("/"): Path(library) for library in re.findall(r"(/\S+) \(0x", listing)}
    with tarfile.open(path, "w") as tar:
        for folder, mode in (("proc", 0o555), ("tmp", 0o1777), ("etc", 0o755)):
            _directory(tar, folder, mode, owner=0)
        _directory(tar, "home/agent", 0o755, owner=0 if os.geteuid() == 0 else 1000)
        for name, source in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            entry.size = source.stat().st_size
            with source.open("rb") as content:
                tar.addfile(entry, content)
        passwd = b"root:x:0:0::/:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))
    return path


def _directory(tar: tarfile.TarFile, name: str, mode: int, *, owner: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = mode
    entry.uid = entry.gid = owner
    tar.addfile(entry)


def build(
    engine: Engine, tag: str, base: str, containerfile: bytes = CONTAINERFILE, **context: bytes
) -> list[str]:
    """The lines of a build."""
    spec = BuildSpec(tag=tag, context={"Containerfile": containerfile, **context}, arguments={"BASE": base})
    return list(engine.images.build(spec))


@pytest.fixture(scope="session")
def podman(root_file_system: Path) -> Iterator[tuple[PodmanEngine, str]]:
    """Real Podman with the tiny image."""
    if not shutil.which("podman"):
        pytest.fail(
            "these tests need Podman: sudo apt-get install podman uidmap slirp4netns fuse-overlayfs runc"
        )
    base, tiny = (f"localhost/contract-{os.getpid()}-{name}:1" for name in ("base", "tiny"))
    with PodmanEngine(os.environ) as engine:
        try:
            engine.images.import_archive(root_file_system, base)
            build(engine, tiny, base)
            yield engine, tiny
        finally:
            engine.images.remove(tiny)
            engine.images.remove(base)


@pytest.fixture
def memory() -> tuple[FakeEngine, str]:
    """The engine in memory with an image of the same use."""
    engine = FakeEngine(images=["localhost/tiny:1"], commands=commands_of_this_machine)
    engine.check_program = lambda _command: None  # what these containers run is the tests' own
    return engine, "localhost/tiny:1"


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    """A host directory to be mounted."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


# The same tests three times: `-m "not podman and not rootful"` needs nothing, `-m rootful` root.
REAL = [
    pytest.param("podman", marks=pytest.mark.podman, id="podman"),
    pytest.param("podman", marks=pytest.mark.rootful, id="podman-as-root"),
]


@pytest.fixture(params=["memory", *REAL])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each engine in turn."""
    yield from _bench(request, tmp_path)


@pytest.fixture(params=REAL)
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Podman alone, for what only a kernel can promise."""
    yield from _bench(request, tmp_path)


def _bench(request: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    if request.node.get_closest_marker("rootful") and os.geteuid() != 0:
        pytest.fail(
            "these tests need root: sudo scripts/test --rootful; without them: pytest -m 'not rootful'"
        )
    engine, image = request.getfixturevalue(request.param)
    bench = Bench(engine=engine, image=image, folder=folder)
    try:
        yield bench
    finally:
        bench.clean()


Make = Callable[..., list[str]]


@pytest.fixture
def make(bench: Bench) -> Make:
    """Build an image on the bench's own: (tag, Containerfile, **context) -> lines."""
    return lambda tag, containerfile, **context: build(
        bench.engine, tag, bench.image, containerfile, **context
    )


@pytest.fixture
def make_real(real: Bench) -> Make:
    """The same on Podman."""
    return lambda tag, containerfile, **context: build(real.engine, tag, real.image, containerfile, **context)
