"""The choices for Linear, by the names of the public document, alone or after AGENT_SESSION_."""

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, AliasGenerator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent_session.config import PREFIX
from agent_session.errors import ConfigurationError, Hint
from agent_session.server import team

SERVE = Hint("serve", ["--help"])
WORDS = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}
DATABASES = ("postgresql+psycopg://", "sqlite+aiosqlite://")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/(?:[A-Za-z0-9_][\w.-]*|\*)")


class LinearSettings(BaseSettings):
    """What is chosen for Linear. Lists have commas."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        alias_generator=AliasGenerator(
            validation_alias=lambda name: AliasChoices(PREFIX + name.upper(), name.upper())
        ),
    )

    enable_sessions: bool = True
    session_timeout_minutes: int = Field(default=30, gt=0)
    session_max_messages: int = Field(default=50, gt=0)
    session_cleanup_interval_minutes: float = Field(default=5, gt=0)
    max_concurrent_sessions: int = Field(default=100, gt=0)
    session_cache_size: int = Field(default=1000, gt=0)
    """Read for the document's sake; nothing is cached outside of the database."""
    opencode_session_api_url: str = ""
    """Read for the document's sake; this server is the API of sessions."""
    opencode_session_token: SecretStr = SecretStr("")
    session_storage_url: str = ""
    """The server's database. An address of Redis is accepted, and not used."""
    enable_session_persistence: bool = True
    """Without it, what Linear said is deleted as soon as its session ends."""
    enable_session_streaming: bool = True
    """Whether progress is told as it comes."""
    enable_session_management: bool = True
    """Whether sessions time out by themselves."""
    session_require_auth: bool = False
    """Whether only people of LINEAR_USERS may ask."""
    session_allowed_users: str = ""
    session_allowed_teams: str = ""
    debug_linear_webhooks: bool = False
    log_level: str = "info"
    enable_signature_verification: bool = True

    linear_webhook_secret: SecretStr = SecretStr("")
    """The webhook's signing secret; two with a comma while one takes the other's place."""
    linear_client_id: str = ""
    linear_client_secret: SecretStr = SecretStr("")
    linear_api_key: SecretStr = SecretStr("")
    linear_bot_oauth_token: SecretStr = SecretStr("")
    linear_agent_name: str = "opencodeagent"
    linear_agent_user_id: str = ""
    linear_agent_public_url: str = ""
    linear_comments: bool = False
    """Whether mentions in comments are read, for a webhook without agent sessions."""
    linear_users: str = ""
    """Who is whom: a Linear user's id or address = a login here."""
    linear_teams: str = ""
    """Whose logins a team's sessions get where the person is not in LINEAR_USERS: team = a login here."""
    linear_agent: str = ""
    """The agent that sessions get; "": the usual one."""
    linear_agents: str = ""
    """The agent of a team's sessions: team = agent."""
    linear_repositories: str = ""
    """What may be cloned: owner/name, owner/*, and defaults: team = owner/name, project:ID = owner/name."""
    linear_repository_url: str = "https://github.com/{repository}.git"
    linear_confidence: float = Field(default=0.7, ge=0, le=1)
    """How sure Linear has to be of a repository that it suggests."""
    linear_retention_days: int = Field(default=30, ge=0)
    linear_sessions_per_hour: int = Field(default=60, gt=0)
    linear_requests_per_hour: int = Field(default=2000, gt=0)
    linear_answer_agents: bool = False
    """Whether other agents and automations are answered."""
    linear_depth: int = Field(default=1, ge=0)
    """How many issues made by agents may lie one above the other."""
    linear_api_url: str = "https://api.linear.app"
    linear_url: str = "https://linear.app"

    @property
    def enabled(self) -> bool:
        """Whether Linear is set up."""
        return bool(self.secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that a webhook may be signed with."""
        words = self.linear_webhook_secret.get_secret_value().split(",")
        return tuple(word.strip() for word in words if word.strip())

    @property
    def token(self) -> str:
        """The token of a workspace without OAuth; "": there is none."""
        return self.linear_bot_oauth_token.get_secret_value() or self.linear_api_key.get_secret_value()

    @property
    def database(self) -> str:
        """The database that SESSION_STORAGE_URL names, if it names one."""
        return self.session_storage_url if self.session_storage_url.startswith(DATABASES) else ""

    def shown(self) -> dict[str, str | int | float | bool]:
        """Return the choices for /health: of secrets whether they are there, of lists how many they have."""
        told: dict[str, str | int | float | bool] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                told[name] = bool(value.get_secret_value())
            elif name in _LISTS:
                told[name] = len(team.listed(value))
            elif name == "session_storage_url":
                told[name] = "database"
            else:
                told[name] = value
        return told


_LISTS = {
    "session_allowed_users", "session_allowed_teams",
    "linear_users", "linear_teams", "linear_agents", "linear_repositories",
}  # fmt: skip


def read(**chosen: Any) -> LinearSettings:
    """Read the choices for Linear. ConfigurationError names the variable."""
    try:
        settings = LinearSettings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper().removeprefix(PREFIX)
        words = WORDS.get(first["type"], first["msg"]).format(**first.get("ctx", {}))
        raise ConfigurationError(name, f"{name} {words}", hint=SERVE) from None
    _check(settings)
    return settings


def pairs(text: str) -> dict[str, str]:
    """Read a list of NAME=VALUE; names in lower case."""
    found = (word.partition("=") for word in text.split(",") if "=" in word)
    return {name.strip().lower(): value.strip() for name, _, value in found}


def _check(settings: LinearSettings) -> None:
    for name in ("opencode_session_api_url", "linear_api_url", "linear_url", "linear_agent_public_url"):
        if (value := getattr(settings, name)) and not _is_url(value):
            _refuse(name, "must be an address that begins with http:// or https://")
    storage = settings.session_storage_url
    if storage and not storage.startswith((*DATABASES, "redis://", "rediss://")):
        _refuse("session_storage_url", "must be the database's address, or Redis', which is not needed")
    if "{repository}" not in settings.linear_repository_url:
        _refuse("linear_repository_url", "must hold {repository}")
    for name in ("linear_users", "linear_teams", "linear_agents"):
        for word in team.listed(getattr(settings, name)):
            if not re.fullmatch(r"[^=]+=[^=]+", word):
                _refuse(name, f"{word!r} is not NAME=VALUE")
    for word in team.listed(settings.linear_repositories):
        if not REPOSITORY.fullmatch(word.rpartition("=")[2].strip()):
            _refuse("linear_repositories", f"{word!r} is not owner/name, owner/*, or NAME=owner/name")
    if not settings.enable_signature_verification:
        _refuse("enable_signature_verification", "cannot be false: anybody could send webhooks")
    if settings.linear_client_id and not settings.linear_client_secret.get_secret_value():
        _refuse("linear_client_secret", "is required with LINEAR_CLIENT_ID")
    if (settings.linear_client_id or settings.token) and not settings.secrets:
        _refuse("linear_webhook_secret", "is required when Linear is set up")
    if len(settings.secrets) > 2 or any(len(word) < team.SHORTEST_SECRET for word in settings.secrets):
        _refuse("linear_webhook_secret", "must be one secret or two, of 16 characters or more")
    if settings.enabled and not (settings.linear_client_id or settings.token):
        _refuse("linear_client_id", "is required with LINEAR_WEBHOOK_SECRET, or LINEAR_API_KEY")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _refuse(name: str, words: str) -> None:
    raise ConfigurationError(name.upper(), f"{name.upper()} {words}", hint=SERVE)
