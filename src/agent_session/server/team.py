"""The choices for a team: logins with GitHub, who may log in, and where its projects may lie."""

import re
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings

from agent_session.config import PREFIX
from agent_session.engine import limits
from agent_session.errors import ConfigurationError, Hint
from agent_session.server.errors import Unsafe

SHORTEST_SECRET = 16
WELL_KNOWN = re.compile(
    r"default|change.?(me|in|this)|your[-_ ]|example|placeholder|password|\A(.)\2*\Z", re.IGNORECASE
)
"""What secrets of documents and templates have in them; and one letter again and again."""
TEAM = re.compile(r"[\w.-]+/[\w.-]+")
SERVE = Hint("serve", ["--help"])


class TeamSettings(BaseSettings):
    """The choices that only a team's server has."""

    github_client_id: str = Field(
        default="", validation_alias=AliasChoices(PREFIX + "GITHUB_CLIENT_ID", "GITHUB_CLIENT_ID")
    )
    """Of the OAuth app in whose name people log in; "": nobody logs in with GitHub."""
    github_client_secret: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices(PREFIX + "GITHUB_CLIENT_SECRET", "GITHUB_CLIENT_SECRET"),
    )
    allowed_users: str = ""
    """Who may log in, by GitHub's names or id:NUMBER, separated by commas. Nobody else may."""
    allowed_organizations: str = ""
    """Whose members may log in."""
    allowed_teams: str = ""
    """Whose members may log in, as ORGANISATION/TEAM."""
    membership_hours: int = Field(default=24, ge=1, le=24 * 90)
    """How long a login lasts that an organisation or a team allowed; then GitHub is asked again."""
    admins: str = ""
    """Who administers the server, as `allowed_users`."""

    service_secret: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices(PREFIX + "SERVICE_SECRET", "AGENT_SERVICE_SECRET"),
    )
    """What a backend sends to the controller; two with a comma while one takes the other's place."""
    roots: str = ""
    """Directories that users may work in: /dir/{login}, /dir/{id}, or NAME=/dir; separated by commas."""
    allow_mounts: bool = False
    """Whether users may have directories mounted, not only cloned."""
    user_sessions: int = Field(default=20, ge=0)
    """That a user may have. Of this and the next ones, 0 is no limit; the local user has none."""
    user_running: int = Field(default=5, ge=0)
    """That may run at the same time."""
    user_memory: str = "16g"
    """That a user's running sessions may use together."""
    session_memory: str = "4g"
    """That each of them may use."""
    user_prompts: int = Field(default=30, ge=0)
    """A minute."""

    @property
    def is_team(self) -> bool:
        """Whether people log in with GitHub."""
        return bool(self.github_client_id)


def listed(text: str) -> frozenset[str]:
    """Read a list with commas; names are compared without regard to case, as GitHub does."""
    return frozenset(word.strip().lower() for word in text.split(",")) - {""}


def is_listed(text: str, *, login: str, number: int) -> bool:
    """Say whether a list names a person."""
    return bool(listed(text) & {login.lower(), f"id:{number}"})


def check_secret(name: str, secret: str) -> None:
    """Refuse a secret that somebody could guess. Raises Unsafe."""
    if len(secret) < SHORTEST_SECRET or WELL_KNOWN.search(secret):
        short = len(secret) < SHORTEST_SECRET
        why = f"is shorter than {SHORTEST_SECRET} characters" if short else "is one of a document or template"
        raise Unsafe(f"{PREFIX}{name} {why}, so it can be guessed", hint=Hint(shell="openssl rand -hex 32"))


def check(settings: TeamSettings, public_url: str) -> None:
    """Refuse a team's server that would let nobody in, or strangers. Raises Unsafe, ConfigurationError."""
    secret = settings.github_client_secret.get_secret_value()
    if bool(secret) != settings.is_team:
        missing = "GITHUB_CLIENT_SECRET" if settings.is_team else "GITHUB_CLIENT_ID"
        raise ConfigurationError(
            PREFIX + missing, "GitHub logins need the client's id and secret", hint=SERVE
        )
    for name in ("user_memory", "session_memory"):
        try:
            limits.memory(getattr(settings, name))
        except ValueError as error:
            raise ConfigurationError(PREFIX + name.upper(), str(error), hint=SERVE) from None
    if not settings.is_team:
        return
    wrong = [
        one for one in settings.roots.split(",") if one and not one.rpartition("=")[2].strip().startswith("/")
    ]
    if wrong:
        raise ConfigurationError(PREFIX + "ROOTS", f"{wrong[0]!r} is not an absolute path", hint=SERVE)
    check_secret("GITHUB_CLIENT_SECRET", secret)
    address = urlsplit(public_url)
    if address.scheme != "https" and address.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise Unsafe(
            "GitHub logins need the https:// address that people type",
            hint=Hint("serve", ["--public-url", "https://sessions.example.org", "--behind-proxy"]),
        )
    if wrong := [word for word in sorted(listed(settings.allowed_teams)) if not TEAM.fullmatch(word)]:
        raise ConfigurationError(
            PREFIX + "ALLOWED_TEAMS", f"{wrong[0]!r} is not ORGANISATION/TEAM", hint=SERVE
        )
    lists = settings.allowed_users, settings.allowed_organizations, settings.allowed_teams, settings.admins
    if not any(map(listed, lists)):
        raise ConfigurationError(
            PREFIX + "ALLOWED_USERS",
            "nobody could log in: name users, ALLOWED_ORGANIZATIONS, ALLOWED_TEAMS or ADMINS",
            hint=Hint("serve", note="with AGENT_SESSION_ALLOWED_USERS=alice,bob"),
        )
