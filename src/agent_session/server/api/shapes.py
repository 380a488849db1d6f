"""Answers as data: what requests may hold, and what is answered, as the OpenAPI document tells them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Scope = Literal[
    "sessions:read", "sessions:write", "sessions:delete", "terminal", "agents", "tokens", "admin", "metrics"
]


class Shape(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(from_attributes=True)


class Problem(Shape):
    """Why a request was refused; `hints` are commands to type."""

    detail: str
    code: str
    hints: list[str] = []


class Message(Shape):
    """That something was done."""

    message: str


class Me(Shape):
    """Who asks, and what the login allows."""

    id: str
    github_login: str
    github_id: str | None
    email: str | None
    avatar_url: str | None
    created_at: datetime
    last_login: datetime | None
    is_active: bool
    scopes: list[str]


class Device(Shape):
    """A browser that is logged in."""

    id: str
    browser: str
    address: str
    created_at: datetime
    last_used: datetime
    expires_at: datetime
    current: bool


class NewToken(BaseModel):
    """A token to be made; `expires` as 12h, 30d, 8w, or never."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1)
    session: str | None = Field(default=None, max_length=63)
    expires: str | None = Field(default="30d", max_length=10)


class Token(Shape):
    """A token without its word."""

    name: str
    scopes: list[str]
    session: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used: datetime | None


class MadeToken(Token):
    """A token that was made just now, with its word: this once."""

    token: str


class AuditEntry(Shape):
    """A call that changed something or was denied."""

    id: int
    time: datetime
    user: str | None
    way: str
    action: str
    session: str | None
    status: int
    address: str


class SessionCounts(Shape):
    """Sessions by what has become of them."""

    total: int
    active: int
    completed: int
    error: int
    timeout: int


class LinearHealth(Shape):
    """Linear's part: whether it is set up, its sessions, and what was chosen, without secrets."""

    enabled: bool
    sessions: SessionCounts
    configuration: dict[str, str | int | float | bool]


class Health(Shape):
    """Whether the server can do its work; it holds what the three requirements' health answers hold."""

    status: Literal["healthy", "unhealthy"]
    timestamp: datetime
    app: str
    agent: str
    version: str
    database_status: Literal["online", "offline"]
    engine_status: Literal["online", "offline", "unknown"]
    sessions: SessionCounts
    configuration: dict[str, str | bool]
    linear: LinearHealth
