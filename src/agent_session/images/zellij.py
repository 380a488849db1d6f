"""Where the Zellij binary of the images comes from.

zellij_binary: `zellij-<version>-<arch>` in a cache folder (made before, or put there by hand)
               -> _download: the release's tarball, if it has the pinned sha256
               -> _compile: `cargo install --locked`, once a machine
               -> BuildFailed, which names all three
It needs the standard library only, so that scripts/setup can run it with the system's Python:
python3 -m agent_session.images.zellij.
"""

import hashlib
import http.client
import io
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_session.errors import BuildFailed, Hint
from agent_session.host import child_process
from agent_session.host.lock import lock

RELEASES = "https://github.com/zellij-org/zellij/releases/download"
PINS = {"x86_64": "ZELLIJ_SHA256_AMD64", "aarch64": "ZELLIJ_SHA256_ARM64"}
NETWORK_SECONDS = 6
OLDEST_RUST = (1, 95)
# 6 min 42 s instead of 9 min 24 s on two cores, for a binary that feels the same.
QUICK_BUILD = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "2",
}

Progress = Callable[[str], None]


class _Unavailable(Exception):
    """This way does not lead to a binary; the words say why."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The binary to be made: `target` is the path in the cache that it gets by rename, when it is whole."""

    version: str
    arch: str
    sha256: str
    target: Path

    def beside(self, suffix: str) -> Path:
        """A path for unfinished work on the target's file system, for the holder of the lock only."""
        return self.target.with_name(self.target.name + suffix)


def zellij_binary(
    cache_dirs: Sequence[Path], versions: Mapping[str, str], arch: str, progress: Progress
) -> Path:
    """The pinned Zellij for `arch` (x86_64 or aarch64), made if need be in the last of the cache folders.

    Raises BuildFailed. Two at once make it once: the second waits for the first.
    """
    version = versions["ZELLIJ_VERSION"]
    name = f"zellij-{version}-{arch}"
    if found := _cached(cache_dirs, name):
        return found
    wanted = _Wanted(version=version, arch=arch, sha256=versions[PINS[arch]], target=cache_dirs[-1] / name)
    try:
        _make_folder(wanted.target.parent)
        with lock(
            wanted.target.parent,
            name,
            waiting=lambda pid: progress(f"process {pid} is making Zellij: waiting for it"),
        ):
            return _cached(cache_dirs, name) or _make(wanted, progress)
    except OSError as error:
        raise BuildFailed(
            f"cannot write Zellij to the cache: {error}",
            hint=Hint(shell=f"ls -ld {shlex.quote(str(wanted.target.parent))}"),
        ) from error


def _cached(cache_dirs: Sequence[Path], name: str) -> Path | None:
    return next((path for folder in cache_dirs if os.access(path := folder / name, os.R_OK)), None)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # what root caches is for everyone, whatever root's umask


def _make(wanted: _Wanted, progress: Progress) -> Path:
    reasons = []
    for way in (_download, _compile):
        try:
            part = way(wanted, progress)
        except _Unavailable as reason:
            progress(f"Zellij: {reason}")
            reasons.append(str(reason))
            continue
        part.chmod(0o755)
        part.replace(wanted.target)
        shutil.rmtree(wanted.beside(".build"), ignore_errors=True)
        return wanted.target
    raise BuildFailed(
        f"no Zellij {wanted.version} for {wanted.arch}: " + "; ".join(reasons),
        hint=Hint(
            shell=f"install -D -m 755 zellij {shlex.quote(str(wanted.target))}",
            note=f"or install Rust {_dotted(OLDEST_RUST)} or newer with gcc, make and perl",
        ),
    )


def _download(wanted: _Wanted, progress: Progress) -> Path:
    url = f"{RELEASES}/v{wanted.version}/zellij-{wanted.arch}-unknown-linux-musl.tar.gz"
    progress(f"downloading {url}")
    try:
        with urllib.request.urlopen(url, timeout=NETWORK_SECONDS) as response:
            tarball = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _Unavailable(f"the release could not be downloaded from {url}: {error}") from error
    digest = hashlib.sha256(tarball).hexdigest()
    if digest != wanted.sha256:
        raise _Unavailable(f"{url} was not used: its sha256 is {digest}, pinned is {wanted.sha256}")
    part = wanted.beside(".part")
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive, part.open("wb") as out:
        member = archive.extractfile("zellij")
        assert member is not None, "the pinned tarball holds a file of this name"
        shutil.copyfileobj(member, out)
        os.fsync(out.fileno())
    return part


def _compile(wanted: _Wanted, progress: Progress) -> Path:
    cargo = _usable_cargo(wanted.arch)
    # Kept when it is interrupted: the next one goes on where this one ended.
    build = wanted.beside(".build")
    command = [
        cargo,
        "install",
        "--locked",
        "--no-track",
        "--force",
        "--root",
        str(build),
        "--version",
        wanted.version,
        "zellij",
    ]
    path = f"{Path(cargo).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, **QUICK_BUILD, "PATH": path, "CARGO_TARGET_DIR": str(build / "target")}
    progress(f"compiling Zellij {wanted.version}: once a machine, 7 to 10 minutes on two cores")
    report = _Report(progress)
    if child_process.run(command, environment=environment, tell=report) != 0:
        raise _Unavailable("cargo install failed: " + " | ".join(report.tail))
    return _that_runs(build / "bin" / "zellij", wanted.version)


def _usable_cargo(arch: str) -> str:
    if (platform.system(), platform.machine()) != ("Linux", arch):
        raise _Unavailable(f"cargo here does not make binaries for Linux on {arch}")
    cargo = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
    if cargo is None:
        raise _Unavailable("cargo, which could compile it, is not installed")
    told = subprocess.run([cargo, "--version"], capture_output=True, text=True, check=False)
    said = (told.stdout or told.stderr).strip()
    version = re.match(r"cargo (\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_RUST:
        raise _Unavailable(
            f"{cargo} cannot compile it: Rust {_dotted(OLDEST_RUST)} is needed, it says {said!r}"
        )
    missing = [tool for tool in ("cc", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise _Unavailable(
            f"cargo could compile it, but needs {', '.join(missing)} (apt-get install gcc libc6-dev make "
            "perl)"
        )
    return cargo


class _Report:
    """Tells every ten seconds how far cargo is, and keeps its last lines."""

    def __init__(self, progress: Progress) -> None:
        self.tail: deque[str] = deque(maxlen=5)
        self._progress = progress
        self._begun = self._told = time.monotonic()
        self._crates = 0

    def __call__(self, line: str) -> None:
        self.tail.append(line.strip())
        self._crates += self.tail[-1].startswith("Compiling")
        now = time.monotonic()
        if now - self._told >= 10:
            self._told = now
            self._progress(
                f"Zellij: {int(now - self._begun)} s, {self._crates} crates compiled, now {self.tail[-1]}"
            )


def _that_runs(binary: Path, version: str) -> Path:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if said != f"zellij {version}":
        raise _Unavailable(f"cargo made a binary that calls itself {said!r}")
    return binary


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> None:
    """VERSIONS.yaml CACHE-FOLDER: what scripts/setup --system runs."""
    import yaml

    versions = yaml.safe_load(Path(sys.argv[1]).read_text())
    try:
        zellij_binary([Path(sys.argv[2])], versions, platform.machine(), lambda line: print(line, flush=True))
    except BuildFailed as failure:
        print(f"error: {failure.message}\nhint: {failure.hint}", file=sys.stderr)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
