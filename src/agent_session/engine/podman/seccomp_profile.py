"""The seccomp profiles of our containers, shipped beside this module.

scripts/seccomp derives them and says which system calls they take away.
"""

from pathlib import Path

from agent_session.engine.container import ContainerSpec

FOLDER = Path(__file__).with_name("seccomp")
STRICT = FOLDER / "session.json"
"""The profile of a container that was granted nothing: a one-off, and a session as long as its user does not
say otherwise."""


def profile(spec: ContainerSpec) -> Path:
    """The profile of a container. Podman reads it when the container is made."""
    namespaces = "-user-namespaces" if spec.user_namespaces else ""
    setuid = "-setuid" if spec.setuid else ""
    return FOLDER / f"session{namespaces}{setuid}.json"
