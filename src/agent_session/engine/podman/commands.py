"""The podman commands that do what the API is asked to do: for people to read, change and run."""

from typing import Any

from agent_session.engine.container import ContainerSpec
from agent_session.engine.limits import Kernel
from agent_session.engine.podman.one_off import mount_flags
from agent_session.engine.podman.specification import LOG_BYTES, SLIRP, specification


def commands(
    spec: ContainerSpec, *, rootful: bool, kernel: Kernel, network: str = SLIRP, network_there: bool = False
) -> list[list[str]]:
    """The words after `podman` that make network and volumes, and then make and start the container.

    Its labels make it a session.
    """
    whole = specification(spec, rootful=rootful, kernel=kernel, network=network)
    volumes = [mount.source for mount in spec.mounts if mount.kind == "volume"]
    labels = [f"--label={key}={value}" for key, value in spec.labels.items()]
    # Of a volume's labels only the session's name is ever read.
    named = [f"--label={key}={value}" for key, value in spec.labels.items() if key.endswith(".name")]
    networks = [["network", "create", spec.network]] if spec.network and not network_there else []
    return [
        *networks,
        *(["volume", "create", *named, volume] for volume in volumes),
        _run(spec, whole, labels),
    ]


def _run(spec: ContainerSpec, whole: dict[str, Any], labels: list[str]) -> list[str]:
    user = [f"--user={whole['user']}"]
    user += [
        f"--ulimit={limit['type']}={limit['soft']}:{limit['hard']}" for limit in whole.get("r_limits", ())
    ]
    if "userns" in whole:
        user.append(f"--userns={whole['userns']['nsmode']}:{whole['userns']['value']}")
    return [
        "run", "--detach", "--pull=never",
        f"--name={spec.name}", f"--hostname={spec.hostname}", f"--workdir={spec.workdir}",
        f"--stop-timeout={spec.stop_timeout}", f"--shm-size={spec.shm_size}",
        *user, *_limits(spec, whole["resource_limits"]), *_network(spec, whole),
        "--pid=private", "--ipc=private", "--uts=private", f"--cgroupns={whole['cgroupns']['nsmode']}",
        "--log-driver=k8s-file", f"--log-opt=max-size={LOG_BYTES}",
        "--cap-drop=all", "--security-opt=no-new-privileges", "--security-opt=label=disable",
        f"--security-opt=seccomp={whole['seccomp_profile_path']}", "--http-proxy=false",
        "--cgroups=enabled", "--umask=0022",
        *labels,
        *(f"--env={key}={value}" for key, value in spec.environment.items()),
        *("=".join(mount_flags(mount)) for mount in spec.mounts),
        spec.image,
    ]  # fmt: skip


def _network(spec: ContainerSpec, whole: dict[str, Any]) -> list[str]:
    options = "".join(f":{option}" for option in whole.get("network_options", {}).get(SLIRP, ()))
    usual = [f"--network={whole['netns']['nsmode']}{options}"]
    joined = [f"--network={spec.network}", *([f"--network-alias={spec.alias}"] if spec.alias else [])]
    if spec.offline:
        return ["--network=none"]
    ports = [*(("", port) for port in spec.ports), *spec.published]
    published = (f"--publish=127.0.0.1:{host}:{port}" for host, port in ports)
    return [*(joined if spec.network else usual), *published]


def _limits(spec: ContainerSpec, resources: dict[str, Any]) -> list[str]:
    flags = {
        "memory": [f"--memory={spec.memory}", f"--memory-swap={2 * spec.memory}"],
        "cpu": [f"--cpus={spec.cpus:g}"],
        "pids": [f"--pids-limit={spec.pids or -1}"],
    }
    return [flag for name in resources for flag in flags[name]]
