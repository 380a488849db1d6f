"""An errand as `podman run` is told it: the podman command, because only it gives a command a terminal or endless streams."""

from collections.abc import Iterable

from agent_session.engine import Errand, Mount


def arguments(errand: Errand, *, name: str, user: Iterable[str], terminal: bool = False) -> list[str]:
    """What follows `podman`. `user` are the flags that make the container's user the caller (or root's with limits).

    Nothing secret may be in an errand: others can read a process's arguments. What it says is in no log.
    """
    return [
        "run", "--rm", f"--name={name}", "--pull=never", "--log-driver=none", "--http-proxy",
        *(["-it", "--detach-keys="] if terminal else ["-i"]),
        *user,
        "--cap-drop=all", "--security-opt=no-new-privileges", "--security-opt=label=disable",
        *([] if errand.network else ["--network=none"]),
        *(f"--env={key}={value}" for key, value in errand.environment.items()),
        *(word for mount in errand.mounts for word in mount_flags(mount)),
        "--entrypoint", errand.command[0], errand.image, *errand.command[1:],
    ]  # fmt: skip


def mount_flags(mount: Mount) -> list[str]:
    """One mount as the podman command is told it."""
    if mount.kind == "tmpfs":
        return ["--tmpfs", f"{mount.target}:rw,nosuid,nodev,mode={'755' if mount.read_only else '1777'}"]
    if mount.kind == "volume":
        return ["--volume", f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'}"]
    # --mount is comma-separated with CSV quoting, --volume splits at colons: only the first can say every path
    words = ["type=bind", f"source={mount.source}", f"target={mount.target}", "bind-propagation=rprivate"]
    words += ["ro=true"] if mount.read_only else []
    quoted = ['"' + word.replace('"', '""') + '"' if {*word} & {*',"\n'} else word for word in words]
    return ["--mount", ",".join(quoted)]
