"""Links that log a browser of the local user in, and their picture for a phone."""

import io

from agent_session.server.auth import login_links, users
from agent_session.server.database.connection import Database
from agent_session.server.settings import Settings


def base(settings: Settings, port: int) -> str:
    """Return the address that people type, without a slash at its end."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = settings.host if settings.host not in {"0.0.0.0", "::"} else "localhost"
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def new(database: Database, address: str) -> str:
    """Make a link for the local user."""
    async with database.transaction() as session:
        word = await login_links.make(session, await users.local(session))
    return f"{address}/login?token={word}"


def picture(link: str) -> str:
    """Draw a link as a QR code for a terminal."""
    import segno  # only who asks for a picture needs it

    drawn = io.StringIO()
    segno.make(link, error="l").terminal(drawn, compact=True)
    return drawn.getvalue()
