"""`agent-session controller`: containers for a backend of another account or machine."""

from typing import Annotated

from agent_session.cli.commands.serve import Certificate, Host, Key, read_settings
from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Option

Port = Annotated[
    str | None, Option("--port", metavar="NUMBER", help="The port. [env: AGENT_SESSION_PORT] [default: 8001]")
]


def controller(
    invocation: Invocation,
    host: Host = None,
    port: Port = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
) -> None:
    """Make, stop and remove sessions for a backend that sends X-Service-Secret, until Ctrl-C.

    AGENT_SESSION_SERVICE_SECRET has the secret, or two with a comma while a new one takes over. Only sessions
    that it made are there for it. It needs the extra: pip install 'agent-session[serve]'.
    """
    settings = read_settings(host=host, port=port, tls_cert=tls_cert, tls_key=tls_key)
    from agent_session.server import app, controller

    controller.read_secrets(settings)
    with app.podman(invocation.environment) as engine:
        controller.serve(
            settings, engine, invocation.installation,
            lambda address: note(f"the controller is at {address}; Ctrl-C ends it, and the sessions go on"),
        )  # fmt: skip
