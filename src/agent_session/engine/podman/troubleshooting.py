"""Podman's messages on a machine that is not set up, their cause and the command that cures it.

Pure: words in, EngineUnavailable or EngineRefused out. Each row was seen, or is named in requirements or
Podman's own guide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agent_session.engine.podman.seccomp_profile import FOLDER
from agent_session.errors import AgentSessionError, EngineRefused, EngineUnavailable, Hint

OLDEST = (4, 3)
"""keep-id with a chosen uid came with 4.3."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One row: words of Podman's messages (lower case, any of them), the cause, the cure as a command."""

    words: tuple[str, ...]
    cause: str
    cure: Hint
    refused: bool = False


SUBORDINATE_IDS = Trouble(
    words=(
        "newuidmap",
        "no subuid ranges",
        "cannot find uid/gid",
        "not enough ids",
        "insufficient uids or gids",
        "no subgid ranges",
    ),
    cause="rootless Podman has no subordinate user ids for you (/etc/subuid, /etc/subgid, package uidmap)",
    cure=Hint(
        shell="sudo apt-get install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids "
        "100000-165535 $USER && podman system migrate"
    ),
)
NETWORK = Trouble(
    words=("slirp4netns", "setting up the network", "/dev/net/tun", "pasta"),
    cause="rootless networking is not set up (slirp4netns or passt, and a /dev/net/tun you may open)",
    cure=Hint(
        shell="sudo scripts/setup --system",
        note="or: sudo apt-get install slirp4netns && sudo chmod 666 /dev/net/tun",
    ),
)
FIREWALL = Trouble(
    words=("netavark: no such file", "iptables: no such file", "nft: no such file"),
    cause="Podman's network needs a firewall's program, and there is neither iptables nor nft",
    cure=Hint(shell="sudo scripts/setup --system", note="or: sudo apt-get install iptables"),
    refused=True,
)
"""netavark 1.4 says no more than "No such file or directory" where there is no iptables."""
OVERLAY = Trouble(
    words=(
        "overlay is not supported",
        "'overlay' is not supported",
        "kernel does not support overlay",
        "fuse-overlayfs",
        "failed to mount overlay",
    ),
    cause="the overlay storage driver does not work here",
    cure=Hint(shell="sudo apt-get install fuse-overlayfs && sudo chmod 666 /dev/fuse"),
)
FULL = Trouble(
    words=("no space left on device", "disk quota exceeded"),
    cause="the disk is full",
    cure=Hint(shell="podman system df && podman image prune"),
    refused=True,
)

TROUBLES = (
    # First, as it quotes a path of the user's, in which any of the other rows' words may stand.
    Trouble(
        words=("statfs", "no such file or directory: bind", "error stat"),
        cause="a directory that the session mounts does not exist (any more)",
        cure=Hint("doctor", note="names it; agent-session move NAME OLD NEW, where a project was moved"),
        refused=True,
    ),
    Trouble(
        words=("seccomp profile",),
        cause="the machine that runs the containers has no copy of the seccomp profiles at the same path "
        "as here",
        cure=Hint(
            shell=f"scp -r {FOLDER} HOST:{FOLDER.parent}/",
            note="after mkdir -p there; HOST as in CONTAINER_HOST",
        ),
        refused=True,
    ),
    Trouble(
        words=("hybrid mode not supported", "unknown version specified"),
        cause="crun cannot run containers on this machine's hybrid cgroups; runc can",
        cure=Hint(
            shell="sudo scripts/setup --system",
            note="or: sudo apt-get install runc, and in ~/.config/containers/containers.conf: [engine] "
            'runtime = "runc"',
        ),
    ),
    Trouble(
        words=("image not known",),
        cause="the image has been removed",
        cure=Hint("build", ["--all"]),
        refused=True,
    ),
    SUBORDINATE_IDS,
    NETWORK,
    FIREWALL,
    Trouble(
        words=("cannot connect to podman", "unable to connect to podman", "podman machine"),
        cause="Podman does not answer; on macOS its machine may not be running",
        cure=Hint(shell="podman machine start"),
    ),
    OVERLAY,
    FULL,
    Trouble(
        words=("error setting rlimit", "operation not permitted: oci", "crun: setrlimit"),
        cause="the container's limits are above what this machine allows",
        cure=Hint(shell="ulimit -Hn && ulimit -Hu"),
        refused=True,
    ),
)


def missing(system: str) -> EngineUnavailable:
    """The error for a machine without podman in PATH; `system` is sys.platform."""
    brew = Hint(shell="brew install podman && podman machine init && podman machine start")
    apt = Hint(shell="sudo apt-get install podman uidmap slirp4netns", note="Fedora: sudo dnf install podman")
    return EngineUnavailable(
        "podman: command not found; agent-session runs every agent in a Podman container",
        hint=brew if system == "darwin" else apt,
    )


def too_old(version: str) -> EngineUnavailable | None:
    """The error for a Podman of that version ("4.3.1"), None if it is new enough."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if not numbers or numbers >= OLDEST:
        return None
    oldest = ".".join(map(str, OLDEST))
    return EngineUnavailable(
        f"Podman {version} is too old; agent-session needs {oldest} or newer",
        hint=Hint(shell="sudo apt-get install podman"),
    )


def explain(said: str, doing: str) -> AgentSessionError:
    """The error for a message of Podman's; `doing` says what was tried."""
    said = " ".join(said.split())
    for trouble in TROUBLES:
        if any(word in said.lower() for word in trouble.words):
            kind = EngineRefused if trouble.refused else EngineUnavailable
            return kind(f"{doing}: {trouble.cause}\n  Podman said: {said}", hint=trouble.cure)
    return EngineRefused(f"{doing}: {said or 'Podman gave no reason'}", hint=Hint("doctor"))


def unreachable(url: str, reason: str, environment: Mapping[str, str]) -> EngineUnavailable:
    """The error for a socket on which no process answers."""
    where = "CONTAINER_HOST" if environment.get("CONTAINER_HOST") else "socket"
    cure = Hint(shell="unset CONTAINER_HOST" if where == "CONTAINER_HOST" else "podman info")
    return EngineUnavailable(f"cannot connect to Podman at {url} ({where}): {reason}", hint=cure)
