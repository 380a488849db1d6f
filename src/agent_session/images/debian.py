"""The base image without a registry: a minimal Debian from the mirror of this machine's apt.

bootstrap -> _sources (what apt says it is configured with, whatever the files' format) and _proxies ->
mmdebstrap, as root or not.
"""

import os
import platform
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent_session.errors import BuildFailed, Hint
from agent_session.host import child_process

Progress = Callable[[str], None]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
POCKETS = ("", "-updates", "-security")
# What debian:trixie-slim leaves out, here and in everything installed later.
SLIM = [
    f"path-exclude=/usr/share/{folder}/*" for folder in ("doc", "groff", "info", "lintian", "locale", "man")
]
# A proxy on this machine's loopback, or a script of it, is of no use inside an image.
FORGET_LOCAL_PROXIES = (
    r"""sed -i '/127\.0\.0\.1\|\[::1\]\|localhost\|Auto-Detect/d' "$1/etc/apt/apt.conf.d/99mmdebstrap" """
)


def bootstrap(tar_path: Path, suite: str, arch: str, progress: Progress) -> None:
    """Make a minimal Debian `suite` for `arch` (amd64 or arm64) with ca-certificates.

    The file appears when it is complete.
    """
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed(
            "mmdebstrap is not installed, and no registry offers a base image",
            hint=(
                Hint(shell="sudo apt-get install mmdebstrap"),
                Hint(shell="export AGENT_SESSION_BASE_IMAGE=IMAGE", note="an image that you have"),
            ),
        )
    sources = _sources(suite)
    progress(
        f"making Debian {suite} ({arch}) with mmdebstrap from "
        f"{sources[0].split()[-3] if sources else 'its default mirror'}"
    )
    for stale in tar_path.parent.glob(f"{tar_path.name}.*.part"):
        stale.unlink(missing_ok=True)
    # A name of our own: the mmdebstrap of a killed process may still be writing to its file.
    part = tar_path.with_name(f"{tar_path.name}.{os.getpid()}.part")
    tail: deque[str] = deque(maxlen=5)

    def told(line: str) -> None:
        tail.append(line)
        progress(line)

    try:
        if child_process.run(_command(part, suite, arch, sources), tell=told) != 0:
            raise BuildFailed(
                "mmdebstrap failed: " + " | ".join(tail),
                hint=Hint(shell="sudo apt-get update", note="does this machine's mirror answer?"),
            )
        part.replace(tar_path)
    finally:
        part.unlink(missing_ok=True)


def _command(tar: Path, suite: str, arch: str, sources: Iterable[str]) -> list[str]:
    proxies = _proxies()
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        f"--architectures={arch}",
        "--include=ca-certificates",
        *(f"--dpkgopt={line}" for line in (*SLIM, "path-include=/usr/share/doc/*/copyright")),
        *(f"--aptopt={proxy}" for proxy in proxies),
        *([f"--customize-hook={FORGET_LOCAL_PROXIES}"] if proxies else []),
        suite,
        str(tar),
        *sources,
    ]


@dataclass(frozen=True, kw_only=True)
class _Source:
    """One repository of this machine: `pocket` is what follows the release's name, one of POCKETS."""

    uri: str
    pocket: str


def _sources(suite: str) -> list[str]:
    """Lines for the image's sources.list; none where this machine's apt has no mirror of Debian."""
    told = _apt(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
    )
    known = list(_debian_sources(told, platform.freedesktop_os_release() if told else {}))
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    chosen = {pocket: _likeliest(pocket, known) for pocket in POCKETS}
    if chosen[""] is None:
        return []
    return [f"deb {signed}{uri} {suite}{pocket} main" for pocket, uri in chosen.items() if uri]


def _debian_sources(told: Iterable[str], system: dict[str, str]) -> Iterator[_Source]:
    if system.get("ID") != "debian":
        return
    release = "|".join(
        {re.escape(system.get("VERSION_CODENAME", "sid")), "stable", "testing", "unstable", "sid"}
    )
    for line in told:
        if found := re.fullmatch(rf"(\S+) (?:{release})(|-updates|-security) main", line):
            for uri in _real_uris(found[1]):
                yield _Source(uri=uri, pocket=found[2])


def _real_uris(uri: str) -> list[str]:
    """A `mirror+file:` of cloud images is a list of mirrors."""
    uri = uri.rstrip("/")
    if uri.startswith("mirror+file:"):
        listed = Path(re.sub("^mirror[+]file:/*", "/", uri))
        return [
            line.split()[0].rstrip("/") for line in listed.read_text().splitlines() if line.startswith("http")
        ]
    return [uri] if uri.startswith(("http://", "https://")) else []


def _likeliest(pocket: str, known: list[_Source]) -> str | None:
    """Choose Debian's own entry among suites of the same name: the one with updates.

    Its directory is mostly called debian.
    """
    updated = {source.uri for source in known if source.pocket == "-updates"}
    candidates = [source.uri for source in known if source.pocket == pocket]
    return max(candidates, key=lambda uri: (uri in updated, "/debian" in uri), default=None)


def _proxies() -> list[str]:
    lines = _apt("apt-config", "dump", "Acquire::http", "Acquire::https")
    return [
        line
        for line in lines
        if re.match(r'Acquire::https?::Proxy(-Auto-Detect|::\S+)? "[^"]', line, re.IGNORECASE)
    ]


def _apt(*command: str) -> list[str]:
    """What an apt program prints; nothing where there is no apt."""
    if shutil.which(command[0]) is None:
        return []
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
