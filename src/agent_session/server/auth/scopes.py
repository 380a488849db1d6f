"""What a login may do: scopes, and who is asking."""

import uuid
from dataclasses import dataclass

SCOPES = (
    "sessions:read",
    "sessions:write",
    "sessions:delete",
    "terminal",
    "agents",
    "tokens",
    "admin",
    "metrics",
)
ALL = frozenset(SCOPES)
OF_ADMINISTRATORS = frozenset({"admin", "metrics"})
"""Scopes that only an administrator has, whatever a token says."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who makes a request."""

    user: uuid.UUID
    login: str
    scopes: frozenset[str]
    way: str
    """How: "device ID", "token NAME"."""
    owner: str
    """What the labels of their sessions say; "" for the user who runs the server, as for the command line."""
    session: str | None = None
    """The one session that a token is for; None: all of the user's."""
    device: uuid.UUID | None = None
    """The browser's entry, where a browser asks."""


def of_user(*, is_admin: bool) -> frozenset[str]:
    """Return the scopes that a user has at most."""
    return ALL if is_admin else ALL - OF_ADMINISTRATORS
