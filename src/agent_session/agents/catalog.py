"""Agents are folders, and this is what the host knows of each.

A folder with an `agent.yaml` is an agent; its name is the folder's. What varies between agents and must be
known on the host is in that file (agent_yaml reads it), everything else in the Containerfile beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_session.agents.errors import AgentNotFound


@dataclass(frozen=True, kw_only=True)
class HostFile:
    """A file of the user's that is offered to the agent as a private copy.

    It is a login if it is there, or, with `login_keys`, if it is a JSON object in which one of them is not
    empty.
    """

    source: str
    target: str
    title: str
    login_keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UserConfig:
    """A file or directory with the user's own configuration of the agent, offered as a read-only copy."""

    source: str
    target: str
    imports: bool = False
    """Whether `@path` in the file imports others, which come along where they lie beside it."""
    rules: bool = False
    """Whether it can forbid the agent something: no session starts where it is there and cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """The agent's own way to log in.

    Its command leads to a token that it prints, for a variable, or to a file in its home.

    `not_shared` is a host file that is a login, too, but cannot be copied.
    """

    command: tuple[str, ...]
    variable: str = ""
    pattern: str = ""
    file: str = ""
    target: str = ""
    not_shared: str = ""
    github: str = ""
    """The name under which the file, a JSON object, has a token of GitHub's."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """The npm package that an agent's image is made of, with its pins in versions.yaml.

    It has names and the pins of their integrities by architecture.
    """

    version: str
    names: Mapping[str, str]
    integrities: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Server:
    """An agent that is a server in its session: the TCP port on which it answers (docs/agents.md).

    Each session has a password of its own.
    """

    port: int


@dataclass(frozen=True, kw_only=True)
class Agent:
    """What the host must know of an agent."""

    name: str
    title: str
    folder: Path
    environment: tuple[str, ...] = ()
    files: tuple[HostFile, ...] = ()
    credentials: tuple[str, ...] = ()
    hint: str = ""
    login: Login | None = None
    package: Package | None = None
    conversations: str = ""
    private: tuple[str, ...] = ()
    login_files: tuple[str, ...] = ()
    """Files in the home that sessions have in memory, and on the disk encrypted alone."""
    disposable: tuple[str, ...] = ()
    user_config: tuple[UserConfig, ...] = ()
    instructions: str = ""
    """The file of user_config that a session's own instructions are added to."""
    models: bool = False
    """Whether it starts with the model that AGENT_SESSION_MODEL names."""
    server: Server | None = None


def choose(agents: Mapping[str, Agent], name: str) -> Agent:
    """The agent of that name; AgentNotFound otherwise."""
    if name not in agents:
        raise AgentNotFound(name, agents)
    return agents[name]
