"""Sessions whose agent is a server (`server` in its agent.yaml): their addresses and passwords.

Other containers on the network NETWORK reach it by its container's name, this machine on a loopback port that
was free when the container was made; nothing else does. The network is made with the first such session and
stays when the last one is removed: it is a name in Podman's configuration and costs nothing.
"""

import re
from dataclasses import replace

from agent_session import inside
from agent_session.engine.container import ContainerSpec
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused
from agent_session.sessions.labels import LABEL_NETWORK
from agent_session.sessions.names import NETWORK, container_name
from agent_session.sessions.session import Session

PASSWORD = re.compile(rb"([A-Za-z0-9_-]{16,200})\n?")
SECONDS = 10
TAKEN, ROOTS = "taken", "for root alone"
"""Why a port of this machine cannot be had."""
NETWORK_TROUBLE = re.compile(
    r"netavark|aardvark|cni |rootless netns|rootless-netns|iptables|nftables|plugin type", re.IGNORECASE
)
NO_NAMES = (
    "containers cannot find each other by name on this machine (Podman's network needs netavark and "
    "aardvark-dns): "
    "the session has no base_url; sudo scripts/setup --system installs them"
)


def base_url(session: Session) -> str | None:
    """Where containers on the network reach its agent's server, while it runs; None where they cannot."""
    if NETWORK not in session.networks:
        return None
    return next((f"http://{container_name(session.name)}:{port}" for port in session.ports), None)


def host_url(session: Session) -> str | None:
    """The address of its agent's server for this machine (Podman's, if that is another one).

    None where it cannot be reached now.
    """
    return (
        next((f"http://127.0.0.1:{port}" for port in session.ports.values()), None)
        if session.running
        else None
    )


def secrets(engine: Engine, session: Session) -> dict[str, str]:
    """{"server_password": ...} of a running session with a server; {} without a valid one.

    The agent can write it.
    """
    if not session.ports or not session.running:
        return {}
    done = engine.exec(
        session.container, ["/usr/bin/head", "-c", "300", str(inside.SERVER_PASSWORD)], timeout=SECONDS
    )
    found = PASSWORD.fullmatch(done.stdout[:300]) if done.exit_code == 0 else None
    return {"server_password": found[1].decode()} if found else {}


def connected(engine: Engine, spec: ContainerSpec) -> tuple[ContainerSpec, tuple[str, ...]]:
    """Put the container on its network; without one, on the usual network, with a note about it."""
    if not spec.network or engine.create_network(spec.network, {LABEL_NETWORK: spec.network}):
        return spec, ()
    return replace(spec, network="", alias=""), (NO_NAMES,)


def start(engine: Engine, spec: ContainerSpec) -> tuple[str, ...]:
    """Start a container that was just made; where its network does not come up it is made again without."""
    try:
        engine.start(spec.name)
    except EngineRefused as error:
        if not spec.network or not NETWORK_TROUBLE.search(error.message):
            raise
        engine.remove(spec.name)
        engine.create(replace(spec, network="", alias=""))
        engine.start(spec.name)
        return (f"{NO_NAMES}; Podman says: {' '.join(error.message.split())[:200]}",)
    return ()


def port_taken(engine: Engine, session: Session) -> bool:
    """Whether another program has taken the port of a stopped session, which then could not start."""
    if session.running or engine.local is None:
        return False
    return any(busy(port) == TAKEN for port in session.ports.values())


def busy(port: int) -> str:
    """Say why nothing of this user's can listen on a port of this machine's loopback; "" where it can."""
    import errno
    import socket  # 5 ms that an `ls` need not pay

    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            return ROOTS if error.errno == errno.EACCES else TAKEN
    return ""


def free_port() -> int:
    """Return a port of this machine's loopback that nothing listens on."""
    import socket

    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port
