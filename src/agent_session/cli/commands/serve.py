"""`agent-session serve`: sessions over HTTP, for one person or a team."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from agent_session.cli.context import Invocation, note, on_terminal
from agent_session.cli.parameters import Option

if TYPE_CHECKING:
    from agent_session.server.settings import Settings

Host = Annotated[
    str | None,
    Option("--host", metavar="ADDRESS", help="Where to listen. [env: "
        "AGENT_SESSION_HOST] [default: 127.0.0.1]"),
]  # fmt: skip
Port = Annotated[
    str | None,
    Option("--port", metavar="NUMBER", help="The port. [env: AGENT_SESSION_PORT] [default: a free "
        "one, then the same]"),
]  # fmt: skip
Url = Annotated[bool, Option("--url", help="Print a new link to the server that runs, "
    "with a QR code on a terminal.")]  # fmt: skip
Open = Annotated[bool, Option("--open", help="Open the link in this machine's browser.")]
PublicUrl = Annotated[
    str | None,
    Option("--public-url", metavar="URL", help="The address that people type. [env: "
        "AGENT_SESSION_PUBLIC_URL]"),
]  # fmt: skip
BehindProxy = Annotated[
    bool | None,
    Option("--behind-proxy", help="A proxy that speaks TLS is in front of it. "
        "[env: AGENT_SESSION_BEHIND_PROXY=1]"),
]  # fmt: skip
Certificate = Annotated[
    str | None,
    Option("--tls-cert", metavar="FILE", help="A certificate, with its chain. [env: AGENT_SESSION_TLS_CERT]"),
]  # fmt: skip
Key = Annotated[
    str | None,
    Option("--tls-key", metavar="FILE", help="The certificate's key. [env: AGENT_SESSION_TLS_KEY]"),
]  # fmt: skip

IdleStop = Annotated[
    str | None,
    Option(
        "--idle-stop",
        metavar="TIME",
        help="Stop sessions whose agents rest longer: 30m, 2h, 1d. [env: AGENT_SESSION_IDLE_STOP] "
        "[default: never]",
    ),
]  # fmt: skip


def serve(
    invocation: Invocation,
    host: Host = None,
    port: Port = None,
    url: Url = False,
    open_browser: Open = False,
    public_url: PublicUrl = None,
    behind_proxy: BehindProxy = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    idle_stop: IdleStop = None,
) -> None:
    """Serve sessions over HTTP until Ctrl-C, and print a link that logs a browser in: for ten minutes, once.

    The same sessions are in `ls`, and can be attached to. It needs the extra: pip install
    'agent-session[serve]'.
    """
    settings = read_settings(
        host=host, port=port, public_url=public_url, behind_proxy=behind_proxy,
        tls_cert=tls_cert, tls_key=tls_key, idle_stop=idle_stop,
    )  # fmt: skip
    from agent_session.server import serve as serving

    if url:
        _show(serving.new_link(settings, serving.running_address(settings)), open_browser=open_browser)
        return

    def ready(address: str, link: str) -> None:
        note(f"serving at {address}; Ctrl-C ends it, and the sessions go on")
        _show(link, open_browser=open_browser)

    serving.serve(settings, invocation.environment, invocation.installation, ready)


def read_settings(**flags: Any) -> "Settings":
    """Read the server's settings. ServerNotInstalled where its packages are missing."""
    try:
        import_module("agent_session.server.app")  # it imports all of them
        from agent_session.server import settings
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("agent_session"):
            raise
        from agent_session.server.errors import ServerNotInstalled

        raise ServerNotInstalled(error.name) from None
    return settings.read(**flags)


def _show(link: str, *, open_browser: bool) -> None:
    print(link, flush=True)
    if on_terminal():
        from agent_session.server.links import picture

        print(picture(link), flush=True)
    if open_browser:
        import webbrowser

        webbrowser.open(link)
