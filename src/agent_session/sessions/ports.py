"""The ports of this machine that a session publishes, looked at before anything is made."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent_session.engine import network_mode, published
from agent_session.engine.protocol import Engine
from agent_session.engine.published import Published
from agent_session.errors import ConflictError, Hint, UsageError
from agent_session.sessions import endpoint, find

if TYPE_CHECKING:
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session


def check(engine: Engine, request: "SessionRequest", session: "Session | None" = None) -> None:
    """Refuse ports that cannot be published: UsageError what never can, ConflictError one that is taken.

    `session` is the one that exists already: what it holds itself is free. On another machine it is not seen
    whether a port is taken.
    """
    wanted = [published.parse(one) for one in request.options.publish]
    _check_sense(request, wanted)
    if engine.local is None:
        return
    held = {one.host for one in session.published} if session and session.running else set()
    for one in wanted:
        if one.host not in held and (reason := endpoint.busy(one.host)):
            raise _refused(engine, request, one, reason, new=session is None)


def _check_sense(request: "SessionRequest", wanted: Sequence[Published]) -> None:
    name, server = request.name, request.agent.server
    if wanted and request.options.network == network_mode.NONE:
        raise UsageError(
            "--publish and --network none contradict each other: what has no network has no port",
            hint=Hint("start", ["-n", name, "--publish", "none", "--network", "none"]),
        )
    for side in ("host", "inside"):
        number, count = Counter(getattr(one, side) for one in wanted).most_common(1)[0] if wanted else (0, 0)
        if count > 1:
            where = "of this machine" if side == "host" else "of the session"
            raise UsageError(
                f"port {number} {where} is published twice", hint=Hint("start", ["-n", name, "-p", "PORT"])
            )
    if server and any(one.inside == server.port for one in wanted):
        raise UsageError(
            f"port {server.port} is that of {request.agent.title}'s own server, which has an address already",
            hint=Hint("status", [name]),
        )


def _refused(
    engine: Engine, request: "SessionRequest", wanted: Published, reason: str, *, new: bool
) -> ConflictError:
    """The error for a port that cannot be had; its hint has one that can."""
    owners = [one.name for one in find.list_sessions(engine) if one.running and _has(one, wanted.host)]
    by = f" by session '{owners[0]}'" if owners and reason == endpoint.TAKEN else ""
    ports = [
        f"{endpoint.free_port()}:{one.inside}" if one == wanted else f"{one.host}:{one.inside}"
        for one in map(published.parse, request.options.publish)
    ]
    agent = ["-a", request.agent.name] if new else []
    words = [word for port in ports for word in ("-p", port)]
    return ConflictError(
        f"port {wanted.host} of this machine is {reason}{by}",
        hint=Hint("start", [*agent, "-n", request.name, *words]),
    )


def _has(session: "Session", port: int) -> bool:
    return port in {*(one.host for one in session.published), *session.ports.values()}
