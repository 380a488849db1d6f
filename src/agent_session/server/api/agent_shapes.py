"""Agents of users and their logins as the API tells them; a login's secret is told to nobody."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Status = Literal["pending", "ready", "denied", "expired", "failed"]
WAY = (
    "machine: the logins of whoever runs the server; key: an API key; agent: the agent's own login; "
    "github: GitHub's device flow."
)


class NewLogin(BaseModel):
    """A login to begin. `variable` and `key` are for a key, `provider` for the agent's own login."""

    model_config = ConfigDict(extra="forbid")

    way: Literal["machine", "key", "agent", "github"] = Field(description=WAY)
    provider: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    enterprise_url: str | None = Field(default=None, max_length=300, pattern=r"^https://[^\s]+$")
    variable: str | None = Field(default=None, max_length=100)
    key: SecretStr | None = Field(default=None, max_length=10_000)


class NewAgent(BaseModel):
    """An agent to be made; `kind` is one of those that `agent-session agents` lists."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    description: str | None = Field(default=None, max_length=1000)
    kind: str | None = Field(default=None, max_length=63)
    model: str | None = Field(default=None, max_length=255)
    login: NewLogin | None = None


class AgentChange(BaseModel):
    """What of an agent is changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=100)
    description: str | None = Field(default=None, max_length=1000)
    model: str | None = Field(default=None, max_length=255)


class Code(BaseModel):
    """What the page of a login showed."""

    model_config = ConfigDict(extra="forbid")

    code: SecretStr = Field(min_length=1, max_length=4000)


class LoginShape(BaseModel):
    """How an agent's login stands. While it is pending: where to go, and what to type there.

    With `needs_code`, what that page shows then is posted to `/code`.
    """

    way: str
    status: Status
    url: str | None = None
    user_code: str | None = None
    needs_code: bool = False
    expires_at: datetime | None = None
    detail: str | None = None


class AgentShape(BaseModel):
    """An agent of yours."""

    id: int
    name: str
    description: str | None
    kind: str
    model: str | None
    created_at: datetime
    last_used: datetime | None
    login: LoginShape


class DeviceCode(BaseModel):
    """What a person types at GitHub, and where."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int


class DevicePoll(BaseModel):
    """A question how a login stands; once it is approved, it becomes an agent of that name."""

    model_config = ConfigDict(extra="ignore")

    device_code: str = Field(min_length=1, max_length=300)
    expires_in: int = 900
    agent_name: str = Field(min_length=1, max_length=100)
    agent_description: str | None = Field(default=None, max_length=1000)


class DevicePolled(BaseModel):
    """`success` with the agent, or `pending` with the seconds after which to ask again."""

    status: Literal["success", "pending"]
    agent: AgentShape | None = None
    interval: int | None = None
