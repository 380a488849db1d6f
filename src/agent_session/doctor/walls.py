"""Checks which walls between an agent and this machine stand here, and say what a lack means."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from agent_session.doctor.findings import Check, Finding
from agent_session.errors import Hint

USER_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
SECCOMP = Path("/proc/sys/kernel/seccomp/actions_avail")
SECURITY_MODULES = Path("/sys/kernel/security/lsm")
UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
LEFT_TO_THE_USER = {
    "annotations": "annotations for the runtime",
    "base_hosts_file": "names of hosts",
    "cgroups": "whether there are limits",
    "devices": "devices of this machine",
    "dns_options": "name servers' options",
    "dns_searches": "domains that are searched",
    "dns_servers": "name servers",
    "env": "variables",
    "host_containers_internal_ip": "this machine's address",
    "mounts": "directories of this machine",
    "privileged": "all rights",
    "volumes": "directories of this machine",
}
"""Keys of [containers] in containers.conf that every container gets, whatever is asked for."""
SECONDS = 5


def checks(environment: Mapping[str, str], *, rootful: bool) -> dict[str, Check]:
    """One check for each wall of this machine."""
    return {
        "wall user namespaces": partial(user_namespaces, rootful=rootful),
        "wall seccomp": seccomp,
        "wall landlock": landlock,
        "wall cgroups": cgroups,
        "wall letter case": letter_case,
        "wall containers.conf": partial(containers_conf, environment, rootful=rootful),
        "wall bare repositories": partial(bare_repositories, environment),
    }


def of_container(status: bytes) -> Iterator[Finding]:
    """What the kernel says of a process in a container (/proc/self/status)."""
    said = dict(line.split(":", 1) for line in status.decode("ascii", "replace").splitlines() if ":" in line)
    for key, value, subject, lack in (
        (
            "Seccomp",
            "2",
            "wall filter in force",
            "no filter of system calls is in force: protected paths can be taken away",
        ),
        ("NoNewPrivs", "1", "wall no new privileges", "programs can gain privileges in a container"),
        ("CapBnd", "0000000000000000", "wall capabilities", "a container can have capabilities"),
    ):
        if key not in said:
            continue
        if said[key].strip() == value:
            yield Finding(level="ok", subject=subject, words="it stands")
        else:
            yield Finding(level="warning", subject=subject, words=lack, cures=(Hint(shell="podman info"),))


def user_namespaces(*, rootful: bool) -> Iterator[Finding]:
    """Rootless, the agent's user is not root's because of one."""
    subject = "wall user namespaces"
    if rootful:
        words = (
            "sessions of root have none: root in the container is root of this machine, without capabilities"
        )
        yield Finding(level="ok", subject=subject, words=words)  # each start says so
    elif _text(USER_NAMESPACES) == "0":
        words = "the kernel allows none, so no container can be started without root"
        fix = Hint(shell="sudo sysctl user.max_user_namespaces=28633")
        yield Finding(level="error", subject=subject, words=words, cures=(fix,), code=6)
    else:
        yield Finding(level="ok", subject=subject, words="the container's root is nobody here")


def seccomp() -> Iterator[Finding]:
    """The filter of system calls needs the kernel's help."""
    if _text(SECCOMP):
        yield Finding(level="ok", subject="wall seccomp", words="the kernel filters system calls")
    else:
        words = "the kernel filters no system calls: the agent can take protected paths away"
        yield Finding(level="warning", subject="wall seccomp", words=words, cures=(Hint(shell="uname -r"),))


def landlock() -> Iterator[Finding]:
    """Agents use it for sandboxes of their own; agent-session does not need it."""
    there = "landlock" in _text(SECURITY_MODULES).split(",")
    words = (
        "it is there, for sandboxes of agents' own"
        if there
        else "not seen; only agents' own sandboxes would use it"
    )
    yield Finding(level="ok", subject="wall landlock", words=words)


def cgroups() -> Iterator[Finding]:
    """Limits of memory, processors and processes."""
    words = (
        "version 2"
        if UNIFIED.exists()
        else "version 1: ordinary users' sessions have no limits of memory and processors"
    )
    yield Finding(level="ok", subject="wall cgroups", words=words)


def letter_case() -> Iterator[Finding]:
    """Where case is ignored, a protected name has other spellings."""
    folders = [folder for folder in (Path.home(), Path.cwd()) if _ignores_case(folder)]
    if not folders:
        yield Finding(level="ok", subject="wall letter case", words="file names differ by case")
    for folder in folders:
        words = (
            f"{folder} is where file names ignore case: git's config may be written under another spelling"
        )
        fix = Hint(shell="diskutil apfs addVolume", note="a volume with APFS (Case-sensitive)")
        yield Finding(level="warning", subject="wall letter case", words=words, cures=(fix,))


def _ignores_case(folder: Path) -> bool:
    other = folder.with_name(folder.name.swapcase())
    try:
        return other.name != folder.name and other.samefile(folder)
    except OSError:
        return False


def containers_conf(environment: Mapping[str, str], *, rootful: bool) -> Iterator[Finding]:
    """What the machine's or the user's own settings add to every container."""
    subject, clean = "wall containers.conf", True
    for file in conf_files(environment, rootful=rootful):
        try:
            said = tomllib.loads(file.read_text(encoding="utf-8")).get("containers", {})
        except (OSError, ValueError) as error:
            yield Finding(level="warning", subject=subject, words=f"{file} cannot be read: {error}")
            continue
        for key in sorted(said.keys() & LEFT_TO_THE_USER.keys()):
            if said[key]:
                clean = False
                words = f"{file} gives every session {LEFT_TO_THE_USER[key]} ({key})"
                fix = Hint(shell=f"grep -n {key} {file}")
                yield Finding(level="warning", subject=subject, words=words, cures=(fix,))
    if clean:
        yield Finding(level="ok", subject=subject, words="nothing is added to sessions")


def conf_files(environment: Mapping[str, str], *, rootful: bool) -> list[Path]:
    """The files of this machine and its user that Podman reads (containers.conf(5))."""
    if named := environment.get("CONTAINERS_CONF"):
        return [Path(named)]
    tops = [Path("/etc/containers")]  # the distribution's own are in /usr/share
    if not rootful:
        tops.append(Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers")
    files = [
        file
        for top in tops
        for file in (top / "containers.conf", *sorted((top / "containers.conf.d").glob("*.conf")))
    ]
    return [file for file in files if file.is_file()]


def bare_repositories(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Git enters a bare repository that somebody put into a directory, unless told otherwise."""
    git = shutil.which("git", path=environment.get("PATH"))
    if git is None:
        return
    done = subprocess.run(
        [git, "config", "--get", "safe.bareRepository"],
        cwd="/",
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    subject = "wall bare repositories"
    if done.stdout.strip() == "explicit":
        yield Finding(level="ok", subject=subject, words="git enters none by itself")
        return
    words = "git here enters a bare repository that an agent made, and runs what its config says"
    fix = Hint(shell="git config --global safe.bareRepository explicit")
    yield Finding(level="ok", subject=subject, words=words, cures=(fix,))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
