"""Config: what the user chose, from defaults < file < environment < flags, read once and frozen.

The file is YAML, `$XDG_CONFIG_HOME/agent-session/config.yaml` or what AGENT_SESSION_CONFIG (or --config)
names. Every key of it is a field of Config; every field has a variable AGENT_SESSION_<FIELD>. An unknown key
is an error, an empty variable is unset.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_session.engine import limits, network_mode, published
from agent_session.errors import ConfigurationError, edit
from agent_session.host import detach_key, label, model_name, paths
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.workspace import protect_mode

PREFIX = "AGENT_SESSION_"
DEFAULT_SESSION = "default"
LEVELS = (0, 1, 2)
DEFAULT_AGENT = "claude"
SWITCHES = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
"""What a variable that is on or off may say, in any case."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The user's choices; None for those that were not made.

    `insisted` names the fields that came from the environment or a flag, not from the file.
    """

    agent: str | None = None
    name: str | None = None
    projects: tuple[str, ...] = ()
    clone: bool = False
    with_changes: bool = False
    mounts: tuple[str, ...] = ()
    kob: str | None = None
    detach: bool = False
    detach_key: str | None = None
    clipboard: bool = False
    build: bool | None = None
    force: bool = False
    discard_work: bool = False
    fresh: bool = False
    auto_approve: bool = False
    protect: str = protect_mode.REVIEW
    unprotected: tuple[str, ...] = ()
    model: str = ""
    user_config: bool = True
    git_signing: bool = False
    ssh_agent: bool = False
    github_token: bool = False
    memory: int = 0
    cpus: float = 0.0
    pids: int = limits.PIDS
    shm_size: int = limits.SHM
    allow_user_namespaces: bool = False
    allow_setuid: bool = False
    publish: tuple[str, ...] = ()
    network: str = network_mode.OPEN
    label: tuple[str, ...] = ()
    import_from: str | None = None
    allow_secret_directories: bool = False
    base_image: str = DEFAULT_BASE_IMAGE
    verbose: int = 0  # 1: each call of the engine, 2: how it is made
    quiet: bool = False
    notify_url: str | None = None
    insisted: frozenset[str] = frozenset()

    def with_flags(self, **flags: Any) -> "Config":
        """What flags say wins; a flag that is None was not given."""
        given = {name: value for name, value in flags.items() if value is not None}
        return dataclasses.replace(self, **given, insisted=self.insisted | given.keys())


FIELDS = {field.name: field for field in dataclasses.fields(Config) if field.name != "insisted"}
READERS = {
    **limits.READERS,
    "detach_key": detach_key.read,
    "protect": protect_mode.read,
    "network": network_mode.read,
    "model": model_name.read,
}
"""What makes a value of a text, where that is more than a text; ValueError in one line."""
LISTS = {"publish": published.read, "label": label.read}
"""What makes an item of a list of a text; the variable of such a list has commas. ValueError in one line."""


def read_config(environment: Mapping[str, str], file: Path) -> Config:
    """Config from a file (which need not exist, unless AGENT_SESSION_CONFIG names it) and the environment.

    Raises ConfigurationError that names the file or the variable.
    """
    from_file = _of_file(environment, file)
    from_environment = {
        key: _from_environment(key, value)
        for key in FIELDS
        if (value := environment.get(PREFIX + key.upper()))
    }
    return Config(**(from_file | from_environment), insisted=frozenset(from_environment))


def file_named(environment: Mapping[str, str]) -> Path:
    """The configuration file: the one that AGENT_SESSION_CONFIG names, else the user's. It need not exist."""
    named = environment.get(PREFIX + "CONFIG")
    return Path(named).expanduser() if named else paths.config_file()


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A choice as it counts, and where it comes from."""

    key: str
    value: Any
    source: str
    """A variable, the path of the file, or "default"."""


def explained(environment: Mapping[str, str], file: Path) -> list[Explained]:
    """Each key with its value and where that comes from. Raises ConfigurationError."""
    config, from_file = read_config(environment, file), _of_file(environment, file)

    def source(key: str) -> str:
        if key in config.insisted:
            return PREFIX + key.upper()
        return str(file) if key in from_file else "default"

    return [Explained(key=key, value=getattr(config, key), source=source(key)) for key in FIELDS]


def _of_file(environment: Mapping[str, str], file: Path) -> dict[str, Any]:
    """What the file says, by key. Raises ConfigurationError that names it."""
    named = environment.get(PREFIX + "CONFIG")
    path = Path(named) if named else file
    try:
        path = path.expanduser()
        data = _read(path) if named or path.exists() else {}
        data = _isolation(data)
        unknown = data.keys() - FIELDS.keys()
        if unknown:
            raise ValueError(_unknown(sorted(map(str, unknown))[0]))
        return {key: _from_file(key, value) for key, value in data.items() if value is not None}
    except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: ~nobody
        raise ConfigurationError(path, str(error), hint=edit(path)) from error


def _isolation(data: dict[Any, Any]) -> dict[Any, Any]:
    """The same with `isolation: clone` as `clone: true`, `isolation: mount` as `clone: false`."""
    ways = {"clone": True, "mount": False, None: None}
    if "isolation" not in data:
        return data
    if data["isolation"] not in ways:
        raise ValueError("isolation must be clone or mount")
    rest = {key: value for key, value in data.items() if key != "isolation"}
    return {"clone": ways[data["isolation"]], **rest}


def _unknown(key: str) -> str:
    import difflib  # 3 ms that only a mistake need pay

    near = difflib.get_close_matches(key.lower().replace("-", "_"), FIELDS, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(sorted(FIELDS))}"
    return f"unknown key {key!r}; {meant}"


def _kind(key: str) -> str:
    annotation = FIELDS[key].type
    return getattr(annotation, "__name__", str(annotation))


def _from_file(key: str, value: object) -> Any:
    if key in READERS:
        return READERS[key](str(value))
    if "bool" in _kind(key):
        if not isinstance(value, bool):
            raise ValueError(f"{key} must be true or false")
        return value
    if "tuple" in _kind(key):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{key} must be a list of texts")
        return tuple(map(LISTS.get(key, str), value))
    if _kind(key) == "int":
        if value not in LEVELS or isinstance(value, bool):
            raise ValueError(f"{key} must be 0, 1 or 2")
        return value
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text")
    return value


def _from_environment(key: str, value: str) -> Any:
    if "bool" in _kind(key):
        if value.strip().lower() not in SWITCHES:
            raise ConfigurationError(
                PREFIX + key.upper(), f"must be 1 or 0 (true or false, yes or no, on or off), not {value!r}"
            )
        return SWITCHES[value.strip().lower()]
    if key in READERS or key in LISTS:
        try:
            if key in LISTS:
                return tuple(LISTS[key](item) for item in value.split(",") if item.strip())
            return READERS[key](value)
        except ValueError as error:
            raise ConfigurationError(PREFIX + key.upper(), str(error)) from error
    if _kind(key) == "int":
        if value not in map(str, LEVELS):
            raise ConfigurationError(PREFIX + key.upper(), f"must be 0, 1 or 2, not {value!r}")
        return int(value)
    if "tuple" in _kind(key):
        return _listed(value)
    return value


def _listed(value: str) -> tuple[str, ...]:
    """A colon-separated list; `ro` behind a path belongs to that (a directory of that name is ./ro)."""
    items: list[str] = []
    for item in filter(None, value.split(os.pathsep)):
        if item == "ro" and items:
            items[-1] += ":ro"
        else:
            items.append(item)
    return tuple(items)


def _read(path: Path) -> dict[Any, Any]:
    from agent_session.host.yaml_file import read_yaml  # only those who have a file need it

    return read_yaml(path)
