"""The choices for the server: flags before variables AGENT_SESSION_<FIELD> before defaults."""

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from agent_session.config import PREFIX
from agent_session.errors import ConfigurationError, Hint
from agent_session.host import paths
from agent_session.server import keys, team
from agent_session.server.errors import Unsafe
from agent_session.server.linear import settings as linear_settings
from agent_session.server.linear.settings import LinearSettings
from agent_session.server.team import TeamSettings

IDLE_STOP = re.compile(r"[1-9]\d{0,4}[smhd]")
LOCAL = "local"
"""The one user of a server without GitHub logins."""


class Settings(TeamSettings):
    """The choices of `agent-session serve`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """0: a free one, which stays the same from then on."""
    public_url: str = ""
    """The address that people type, where a proxy is before the server."""
    database_url: str = ""
    """postgresql+psycopg://..., or "" for an SQLite file in `server_state`."""
    behind_proxy: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    idle_stop: str = ""
    """How long an agent may rest before its session is stopped (30m, 2h); "": for ever."""
    allowed_hosts: str = ""
    """More names, separated by commas, by which the server may be called."""
    keys: SecretStr = SecretStr("")
    """Keys that agents' logins are encrypted with, separated by commas or spaces; "": those of a file."""
    github_url: str = "https://github.com"
    """Another one for GitHub Enterprise."""
    github_copilot_client_id: str = Field(
        default="",
        validation_alias=AliasChoices(PREFIX + "GITHUB_COPILOT_CLIENT_ID", "GITHUB_COPILOT_CLIENT_ID"),
    )
    """The app in whose name GET /auth/device asks GitHub."""
    push_hosts: str = "fcm.googleapis.com,*.push.services.mozilla.com,*.notify.windows.com,*.push.apple.com"
    """Push services to which notifications may be sent, with commas."""
    linear: LinearSettings = Field(default_factory=linear_settings.read)
    """What is chosen for Linear, by the names of its document."""
    server_state: Path = Field(default_factory=lambda: paths.log_folder() / "server")

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this server's own."""
        return self.url.startswith("sqlite")

    @property
    def url(self) -> str:
        """The database's address for SQLAlchemy, for asynchronous use."""
        chosen = self.database_url or self.linear.database
        return chosen or f"sqlite+aiosqlite:///{self.server_state / 'database.sqlite3'}"

    @property
    def secure(self) -> bool:
        """Whether browsers reach the server over TLS."""
        return self.public_url.startswith("https://") or self.tls_cert is not None

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def names(self) -> frozenset[str]:
        """The host names by which the server may be called; "*" is none of them."""
        own = {"localhost", "127.0.0.1", "::1", self.host, urlsplit(self.public_url).hostname or ""}
        more = {name.strip().lower() for name in self.allowed_hosts.split(",")}
        return frozenset(own | more) - {"", "0.0.0.0", "::", "*"}


def read(**flags: Any) -> Settings:
    """Read the settings; a flag that is None was not given. ConfigurationError names the variable."""
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "serve"
        raise ConfigurationError(name, first["msg"], hint=Hint("serve", ["--help"])) from None
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse what would let strangers in. Raises Unsafe, ConfigurationError."""
    if settings.idle_stop and not IDLE_STOP.fullmatch(settings.idle_stop):
        raise ConfigurationError(
            PREFIX + "IDLE_STOP",
            f"{settings.idle_stop!r} is not a time to rest for (30m, 2h, 1d)",
            hint=Hint("serve", ["--idle-stop", "2h"]),
        )
    keys.check(settings.keys.get_secret_value())
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ConfigurationError(
            "serve", "--tls-cert and --tls-key belong together", hint=Hint("serve", ["--help"])
        )
    if settings.database_url and not settings.database_url.startswith(
        ("postgresql+psycopg://", "sqlite+aiosqlite://")
    ):
        raise ConfigurationError(
            PREFIX + "DATABASE_URL",
            "must begin with postgresql+psycopg:// or sqlite+aiosqlite://",
            hint=Hint("db", ["inspect"]),
        )
    if not settings.loopback and not settings.tls_cert and not settings.behind_proxy:
        raise Unsafe(
            f"other machines reach {settings.host}, and what is said there could be read on the way",
            hint=Hint("serve", ["--host", settings.host, "--tls-cert", "FILE", "--tls-key", "FILE"],
                      note="or --behind-proxy, where a proxy in front of it speaks TLS"),
        )  # fmt: skip
    if settings.behind_proxy and not settings.public_url.startswith("https://"):
        raise Unsafe(
            "--behind-proxy needs the https:// address that people type",
            hint=Hint("serve", ["--behind-proxy", "--public-url", "https://sessions.example.org"]),
        )
    team.check(settings, settings.public_url or f"http://{settings.host}")
