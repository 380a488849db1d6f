"""Secrets of the engine for agents: the login of all sessions, and the key of their login files.

No container is made with one of them: a secret of a container is a file on the disk for as long as the
container is there. They travel with the seed, and sessions have them in memory.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_session.agents.catalog import Agent, Login
from agent_session.engine.protocol import Engine


def login_secret(agent: str) -> str:
    """The engine's secret with the login that all sessions of an agent share."""
    return f"agent-session-login-{agent}"


def seal_secret(agent: str) -> str:
    """The engine's secret with the key of the login files that an agent's sessions keep encrypted."""
    return f"agent-session-seal-{agent}"


@dataclass(frozen=True, kw_only=True)
class StoredLogin:
    """A stored login: variables, and files by their name in the seed."""

    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Seal:
    """The key of an agent's login files; a new one is not stored yet."""

    key: bytes
    new: bool = False


def store(engine: Engine, agent: Agent, login: Login, text: str) -> None:
    """Keep a login for all sessions of the agent that are started from now on."""
    kept = {"environment": {login.variable: text}} if login.variable else {"files": {login.target: text}}
    engine.put_secret(login_secret(agent.name), json.dumps(kept).encode())


def read(engine: Engine, agent: str) -> StoredLogin | None:
    """Read the stored login of an agent; None where there is none. EngineRefused where it cannot be read."""
    content = engine.read_secret(login_secret(agent))
    kept = json_object(content.decode("utf-8", "replace")) if content else {}
    return StoredLogin(**{name: kept.get(name) or {} for name in ("environment", "files")}) if kept else None


def seal(engine: Engine, agent: Agent) -> Seal | None:
    """Read the key of an agent's login files, or make one; None for an agent that has no such files."""
    if not agent.login_files:
        return None
    key = engine.read_secret(seal_secret(agent.name))
    return Seal(key=key) if key else Seal(key=secrets.token_hex(32).encode(), new=True)


def keep_seal(engine: Engine, agent: str, key: Seal) -> None:
    """Store a key that is new."""
    if key.new:
        engine.put_secret(seal_secret(agent), key.key)


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in a text, {} for whatever is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
