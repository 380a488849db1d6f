"""The strict reader of agents' folders: `images/<agent>/agent.yaml`, and those of the user's own."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent_session.agents.catalog import Agent, HostFile, Login, Package, Server, UserConfig
from agent_session.errors import ConfigurationError, edit
from agent_session.host.yaml_file import read_yaml

AGENT_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEYS = {
    "title",
    "environment",
    "files",
    "credentials",
    "hint",
    "login",
    "package",
    "conversations",
    "private",
    "login_files",
    "disposable",
    "user_config",
    "instructions",
    "models",
    "server",
}


def read_agents(folders: Iterable[Path]) -> dict[str, Agent]:
    """Read all agents of these folders, sorted by name; a later folder's agent replaces an earlier one's.

    A folder of folders that does not exist holds none. Raises ConfigurationError for an agent.yaml that
    cannot be followed.
    """
    found = {}
    for folder in folders:
        if folder.is_dir():
            for file in folder.glob("*/agent.yaml"):
                found[file.parent.name] = read_agent(file)
    return dict(sorted(found.items()))


def find_agent(folders: Iterable[Path], name: str) -> Agent | None:
    """Read the agent that read_agents would have under that name; None where there is none.

    None also where no agent can have that name.
    """
    if AGENT_NAME.fullmatch(name):
        for folder in reversed([*folders]):
            if (file := folder / name / "agent.yaml").is_file():
                return read_agent(file)
    return None


def read_agent(file: Path) -> Agent:
    """One agent.yaml; ConfigurationError names the file and what is wrong with it."""
    name = file.parent.name
    if not AGENT_NAME.fullmatch(name):
        raise ConfigurationError(
            file.parent, f"{name!r} cannot name an agent: lower-case letters, digits, '_', '.', '-'"
        )
    try:
        data = read_yaml(file)
        unknown = set(data) - KEYS
        if unknown:
            raise ValueError(f"unknown key {sorted(map(str, unknown))[0]!r}")
        files = tuple(_host_file(item) for item in _list(data, "files"))
        environment = _texts(data, "environment")
        credentials = _texts(data, "credentials")
        bad = [name for name in environment if not VARIABLE_NAME.fullmatch(name)]
        if bad:
            raise ValueError(f"{bad[0]!r} cannot name a variable")
        unoffered = set(credentials) - set(environment) - {item.target for item in files}
        if unoffered:
            raise ValueError(
                f"credentials names {sorted(unoffered)[0]!r}, which is neither in environment nor a target "
                "in files"
            )
        return Agent(
            name=name,
            title=_text(data, "title", default=name),
            folder=file.parent,
            environment=environment,
            files=files,
            credentials=credentials,
            hint=_text(data, "hint", default=""),
            login=_login(data.get("login"), environment, files),
            package=_package(data.get("package")),
            conversations=_text(data, "conversations", default=""),
            private=_texts(data, "private"),
            login_files=_texts(data, "login_files"),
            disposable=_texts(data, "disposable"),
            user_config=tuple(_user_config(item) for item in _list(data, "user_config")),
            instructions=_text(data, "instructions", default=""),
            models=data.get("models") is True,
            server=_server(data.get("server")),
        )
    except ValueError as error:
        raise ConfigurationError(file, str(error), hint=edit(file)) from error


def _host_file(item: object) -> HostFile:
    known = {"source", "target", "title", "login_keys"}
    if not isinstance(item, dict) or set(item) - known or not {"source", "target"} <= set(item):
        raise ValueError(
            f"each of files needs source and target, and may have title and login_keys: {item!r}"
        )
    target = _plain_name(item)
    return HostFile(
        source=_text(item, "source"),
        target=target,
        title=_text(item, "title", default=target),
        login_keys=_texts(item, "login_keys"),
    )


def _user_config(item: object) -> UserConfig:
    if not isinstance(item, dict) or set(item) - {"imports", "rules"} != {"source", "target"}:
        raise ValueError(
            f"each of user_config needs source and target, and may have imports and rules: {item!r}"
        )
    return UserConfig(
        source=_text(item, "source"),
        target=_plain_name(item),
        imports=item.get("imports") is True,
        rules=item.get("rules") is True,
    )


def _plain_name(item: Mapping[Any, Any]) -> str:
    target = _text(item, "target")
    if not target or "/" in target or target in {".", ".."}:
        raise ValueError(f"target must be a plain file name: {target!r}")
    return target


def _login(item: object, environment: tuple[str, ...], files: tuple[HostFile, ...]) -> Login | None:
    if item is None:
        return None
    if not isinstance(item, dict) or set(item) - {
        "command",
        "variable",
        "pattern",
        "file",
        "target",
        "not_shared",
        "github",
    }:
        raise ValueError("login may have command, variable, pattern, file, target, not_shared and github")
    login = Login(
        command=_texts(item, "command"),
        **{
            key: _text(item, key, default="")
            for key in ("variable", "pattern", "file", "target", "not_shared", "github")
        },
    )
    try:
        re.compile(login.pattern)
    except re.error as error:
        raise ValueError(f"login's pattern is not a regular expression: {error}") from error
    by_file = login.file and login.target in {file.target for file in files}
    if not login.command or not (login.variable in environment or by_file):
        raise ValueError(
            "login needs a command, and a variable of environment or a file and its target in files"
        )
    return login


def _package(item: object) -> Package | None:
    if item is None:
        return None
    if not isinstance(item, dict) or set(item) != {"version", "names", "integrities"}:
        raise ValueError("package needs version, names and integrities")
    names, integrities = item["names"], item["integrities"]
    for group in (names, integrities):
        if not isinstance(group, dict) or not all(
            isinstance(text, str) for pair in group.items() for text in pair
        ):
            raise ValueError("package: names and integrities map architectures to texts")
    if names.keys() != integrities.keys():
        raise ValueError("package: names and integrities must be of the same architectures")
    return Package(version=_text(item, "version"), names=names, integrities=integrities)


def _server(item: object) -> Server | None:
    if item is None:
        return None
    if not isinstance(item, dict) or set(item) != {"port"} or type(item["port"]) is not int:
        raise ValueError(f"server needs a port, a number, and nothing else: {item!r}")
    if not 1024 <= item["port"] <= 65535:
        raise ValueError(
            f"server's port must be one that no root is needed for, 1024 to 65535: {item['port']}"
        )
    return Server(port=item["port"])


def _text(data: Mapping[Any, Any], key: str, default: str | None = None) -> str:
    value = data.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text")
    return value


def _texts(data: Mapping[Any, Any], key: str) -> tuple[str, ...]:
    values = _list(data, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} must be a list of texts")
    return tuple(values)


def _list(data: Mapping[Any, Any], key: str) -> list[Any]:
    values = data.get(key) or []
    if not isinstance(values, list):
        raise ValueError(f"{key} must be a list")
    return values
