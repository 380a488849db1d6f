"""`agent-session ports`: what listens in a session, and a way to it from this machine."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Option
from agent_session.engine import published
from agent_session.errors import ConflictError, Hint, UsageError

if TYPE_CHECKING:
    from agent_session.activity.ports import Listening
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session

Publish = Annotated[
    str | None,
    Option(
        "-p",
        "--publish",
        metavar="[HOST:]PORT",
        parser=published.read,
        help="Forward a port of this machine's 127.0.0.1 to the session's, until Ctrl-C.",
    ),
]
AsJson = Annotated[bool, Option("--json", help="One JSON object on stdout.")]


def ports(
    invocation: Invocation, name: NameOrDefault = None, publish: Publish = None, as_json: AsJson = False
) -> None:
    """List what listens in a running session, and which of its ports this machine reaches.

    `start --publish` publishes a port for good. --publish here forwards one as long as this command runs,
    also one that listens on the session's own 127.0.0.1 alone, and the session is not started again.
    """
    from agent_session.activity import terminal as screens

    if publish == published.NONE or (publish and as_json):
        vain = "none" if publish == published.NONE else "--json"
        raise UsageError(f"--publish and {vain} contradict each other", hint=Hint("ports", ["--help"]))
    with invocation.engine(one_question=True) as engine:
        session = screens.running(engine, invocation.name(engine, name, verb="ports"))
        if publish:
            _forward(engine, session, publish)
        else:
            _list(engine, session, as_json=as_json)


def _forward(engine: "Engine", session: "Session", publish: str) -> None:
    from agent_session.activity import ports as found
    from agent_session.sessions import endpoint, find

    wanted = published.parse(publish)
    try:
        listener = found.listener(wanted.host)
    except OSError as error:
        other = f"{endpoint.free_port()}:{wanted.inside}"
        raise ConflictError(
            f"port {wanted.host} of this machine is {endpoint.busy(wanted.host) or error.strerror}",
            hint=Hint("ports", [session.name, "--publish", other]),
        ) from error
    with listener:
        note(f"http://127.0.0.1:{wanted.host} leads to {wanted.inside} in '{session.name}'; Ctrl-C ends it")
        last = [0.0]

        def ended() -> bool:
            import time

            if time.monotonic() - last[0] < 2:
                return False
            last[0] = time.monotonic()
            now = find.find_session(engine, session.name)
            return now is None or now.id != session.id or not now.running

        found.forward(engine, session, wanted, listener, ended=ended)
    note(f"session '{session.name}' does not run any more")


def _list(engine: "Engine", session: "Session", *, as_json: bool) -> None:
    from agent_session.activity import ports as found

    there = found.listening(engine, session)
    if as_json:
        from agent_session.activity import shapes
        from agent_session.cli import output

        output.print_json(shapes.ports(session, there))
        return
    rows = [[str(one.port), one.program or "?", _reached(session, one)] for one in there]
    silent = [one for one in session.published if one.inside not in {other.port for other in there}]
    rows += [[str(one.inside), "-", f"127.0.0.1:{one.host}, where nothing listens yet"] for one in silent]
    if rows:
        from agent_session.cli import table

        table.print_table(["PORT", "PROGRAM", "FROM THIS MACHINE"], rows, less=[], last=[])
    else:
        note(f"nothing listens in '{session.name}'")


def _reached(session: "Session", one: "Listening") -> str:
    """How this machine reaches a port."""
    host = next(
        (pub.host for pub in session.published if pub.inside == one.port), session.ports.get(one.port)
    )
    if host is None:
        return f"agent-session ports {session.name} --publish {one.port}"
    alone = ", unless it listens on 127.0.0.1 alone, as it does" if one.loopback else ""
    return f"127.0.0.1:{host}{alone}"
