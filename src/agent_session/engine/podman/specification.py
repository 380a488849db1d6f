"""The requests that make containers: a SpecGenerator for each.

A whole one is posted rather than the bindings' keywords, because those drop or misplace some (tmpfs, two
mounts of one source, security options; podman-py 5.8.0).
"""

import resource
from typing import Any

from agent_session.engine.container import ContainerSpec, Mount
from agent_session.engine.limits import Kernel
from agent_session.engine.podman.seccomp_profile import profile

KEEP_ID = {"nsmode": "keep-id", "value": "uid=1000,gid=1000"}
SLIRP = "slirp4netns"
CPU_PERIOD = 100_000
"""Microseconds, the kernel's own default."""
LOG_BYTES = 4 << 20
"""The length of the log kept of a container's first process: every program inside can write to it."""


def specification(
    spec: ContainerSpec, *, rootful: bool, kernel: Kernel, network: str = SLIRP
) -> dict[str, Any]:
    """Return the SpecGenerator: least privilege, no host network, the limits that the kernel supports.

    What is left out is taken from the user's containers.conf, so nothing that isolates is left out. `network`
    is the program that connects rootless containers.
    """
    whole = {
        **_process(spec),
        **_isolation(spec, kernel),
        **_storage(spec),
        **_network(spec, usual="bridge" if rootful else network),
        "resource_limits": _resources(spec, kernel),
    }
    if rootful:
        # id-mapped storage and keep-id are not to be had; a root without CAP_SYS_RESOURCE may not raise its
        # limits
        return whole | {"user": "0:0", "r_limits": root_limits()}
    if spec.pids and "pids" not in kernel.controllers and kernel.counts_by_namespace:
        whole["r_limits"] = [_limit("NPROC", spec.pids, soft=spec.pids)]
    return whole | {"user": "1000:1000", "userns": KEEP_ID}


def _process(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "image": spec.image,
        "hostname": spec.hostname,
        "work_dir": str(spec.workdir),
        "labels": dict(spec.labels),
        "env": dict(spec.environment),
        # proxies may hold a password, and this is no place for one: they come with the seed
        "httpproxy": False,
        "stop_timeout": spec.stop_timeout,
        "shm_size": spec.shm_size,
        "log_configuration": {"driver": "k8s-file", "size": LOG_BYTES},
    }


def _isolation(spec: ContainerSpec, kernel: Kernel) -> dict[str, Any]:
    return {
        "cap_drop": ["all"],
        "no_new_privileges": True,
        "seccomp_profile_path": str(profile(spec)),
        "selinux_opts": ["disable"],  # relabelling a user's project would be worse (and slow)
        **{f"{kind}ns": {"nsmode": "private"} for kind in ("pid", "ipc", "uts")},
        "cgroupns": {"nsmode": "private" if kernel.cgroups == "v2" else "host"},
        "cgroups_mode": "enabled",
        "umask": "0022",
    }


def _storage(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "volumes": [
            {"Name": m.source, "Dest": str(m.target), "Options": ["ro"] if m.read_only else []}
            for m in spec.mounts
            if m.kind == "volume"
        ],
        "mounts": [_mount(m) for m in spec.mounts if m.kind != "volume"],
    }


def _network(spec: ContainerSpec, *, usual: str) -> dict[str, Any]:
    """The usual network, or the specification's own, and the ports that this machine's loopback publishes."""
    wanted = [*((0, port) for port in spec.ports), *spec.published]
    ports = [
        {"host_ip": "127.0.0.1", "host_port": host, "container_port": port, "protocol": "tcp"}
        for host, port in wanted
    ]
    if spec.offline:
        return {"netns": {"nsmode": "none"}}
    if spec.network:
        aliases = {"aliases": [spec.alias]} if spec.alias else {}
        network = {"netns": {"nsmode": "bridge"}, "networks": {spec.network: aliases}}
    elif usual == SLIRP:
        options = {SLIRP: ["allow_host_loopback=false"]}
        network = {"netns": {"nsmode": usual}, "network_options": options}
    else:
        network = {"netns": {"nsmode": usual}}
    return {**network, "portmappings": ports}


def _resources(spec: ContainerSpec, kernel: Kernel) -> dict[str, Any]:
    """Return memory, with as much swap again as Podman's own command allows, processors and processes.

    A limit without a controller is left out: a runtime may refuse it.
    """
    wanted: dict[str, Any] = {}
    if spec.memory:
        wanted["memory"] = {"limit": spec.memory, "swap": 2 * spec.memory}
    if spec.cpus:
        wanted["cpu"] = {"period": CPU_PERIOD, "quota": round(spec.cpus * CPU_PERIOD)}
    wanted["pids"] = {"limit": spec.pids or -1}
    return {name: value for name, value in wanted.items() if name in kernel.controllers}


def _mount(mount: Mount) -> dict[str, Any]:
    if mount.kind == "tmpfs":
        # Its owner is container root, so the mode decides whether the agent may write.
        options = ["rw", "nosuid", "nodev", f"mode={'755' if mount.read_only else '1777'}"]
        return {"type": "tmpfs", "source": "tmpfs", "destination": str(mount.target), "options": options}
    options = ["rbind", "ro" if mount.read_only else "rw"]
    return {"type": "bind", "source": mount.source, "destination": str(mount.target), "options": options}


def root_limits() -> list[dict[str, Any]]:
    """Return limits that a root without CAP_SYS_RESOURCE may set; Podman's defaults may be above its own."""
    return [_limit("NOFILE", 20000), _limit("NPROC", 2048)]


def _limit(name: str, most: int, *, soft: int = 1024) -> dict[str, Any]:
    hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
    hard = most if hard == resource.RLIM_INFINITY else min(hard, most)
    return {"type": name.lower(), "soft": min(soft, hard), "hard": hard}
