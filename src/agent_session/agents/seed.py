"""The seed: the user's variables and files for a session, sent as a tar at each start.

The container keeps it in memory only. agent.yaml says which variables and files are sent. They travel on the
standard input of a command in the container: never in its specification, its labels or any arguments.
"""

import io
import json
import re
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

from agent_session.agents import user_config
from agent_session.agents.catalog import Agent, HostFile
from agent_session.agents.stored_login import Seal, StoredLogin, json_object
from agent_session.host import nofollow
from agent_session.host.git_identity import UNKNOWN, Identity

LARGEST = 10 * 1024 * 1024
"""Bytes; a credentials file is a few hundred, a ~/.claude.json of years a few million."""
PROXIES = tuple(
    spelled
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
    for spelled in (name, name.upper())
)
"""They may hold a password, and change from day to day: they are the session's as they are at its start."""
NOTHING: Mapping[str, str] = MappingProxyType({})
PLACEHOLDER = re.compile(
    r"<.*>|\{.*\}|\$\{?\w*(?:key|token|secret)\w*\}?|.*\byour[-_ ].*|your.*(?:key|token|secret)|.*[-_ "
    r"](?:key|token|secret)[-_ ]here"
    r"|(?:sk-)?(?:[a-z0-9]+-)*(?:\.{3,}|\u2026|x{3,}|\*{3,})|change[-_ ]?me|replace[-_ ]?me",
    re.IGNORECASE,
)
"""What stands in guides for a key of the reader's own."""


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A variable or file that can log an agent in, by name, and whether the host has it."""

    name: str
    found: bool


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A variable or file for the session if the host has it: its name there and its source here."""

    name: str
    kind: Literal["variable", "file"]
    source: str
    found: bool


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The tar, and lines for the user about what could not be sent."""

    archive: bytes
    notes: tuple[str, ...] = ()
    first_notes: tuple[str, ...] = ()
    """Lines for the user of a new session alone."""
    agent: str = ""
    seal: Seal | None = None
    """The key of the agent's login files, which is in the tar, too."""


def credentials(agent: Agent, environment: Mapping[str, str]) -> list[Credential]:
    """List what agent.yaml counts as a login, found or not."""
    files = {item.target: item for item in agent.files}
    return [
        Credential(name=files[name].source, found=_is_login(files[name]))
        if name in files
        else Credential(name=name, found=_is_key(environment.get(name)))
        for name in agent.credentials
    ]


def crossings(agent: Agent, environment: Mapping[str, str]) -> list[Crossing]:
    """List all that agent.yaml lets a session have, and whether the host has it; never its content."""
    variables = [
        Crossing(name=name, kind="variable", source="environment", found=bool(environment.get(name)))
        for name in agent.environment
    ]
    files = [
        Crossing(name=item.target, kind="file", source=item.source, found=_is_there(item))
        for item in agent.files
    ]
    return variables + files


def login_note(agent: Agent, environment: Mapping[str, str], *, stored: bool = False) -> str | None:
    """One line where no login was found, None where one was or none is needed.

    `stored` says that `agent-session login` has stored one.
    """
    offers = credentials(agent, environment)
    if stored or not offers or any(offer.found for offer in offers):
        return None
    if agent.login and agent.login.not_shared and Path(agent.login.not_shared).expanduser().is_file():
        return (
            f"the login in {agent.login.not_shared} is this machine's alone: a copy would end both when "
            "its token changes; "
            f"for {agent.title} in sessions: agent-session login {agent.name}"
        )
    hint = agent.hint or (f"agent-session login {agent.name}" if agent.login else "")
    return f"no login for {agent.title}: {hint or ', '.join(offer.name for offer in offers)}"


def gather(
    agent: Agent,
    environment: Mapping[str, str],
    *,
    timezone: str,
    extra: Mapping[str, str] = NOTHING,
    umask: int | None = None,
    identity: Identity = UNKNOWN,
    stored: StoredLogin | None = None,
    seal: Seal | None = None,
    instructions: str = "",
) -> Seed:
    """Read all that the session gets. A file that cannot be read is noted and left out.

    Nothing of the host's is changed. `extra` are variables of ours for the agent's start. The variables of
    a `stored` login count less than the host's, its files more. `umask` is for the files that programs make;
    what a user may do herself is never masked. `instructions` are added to the user's own.
    """
    login = stored or StoredLogin()
    given = {name: environment[name] for name in agent.environment if environment.get(name)}
    passed = {name: value for name, value in given.items() if name not in agent.credentials or _is_key(value)}
    placeholders = given.keys() - passed.keys()
    notes = [
        *identity.notes,
        *(f"{name} holds a placeholder and no key: it was left out" for name in placeholders),
    ]
    proxies = {name: environment[name] for name in PROXIES if environment.get(name)}
    own = {"TZ": timezone, **login.environment, **proxies}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_variables(tar, {**own, **passed, **dict(identity.variables), **extra}, umask)
        notes += _add_files(tar, agent, login)
        if seal:
            _add(tar, "login-files", "".join(f"{path}\n" for path in agent.login_files).encode())
            _add(tar, "seal", seal.key)
        for name, content in identity.files:
            _add(tar, name, content)
        notes += _add_user_config(tar, agent, instructions)
    return Seed(
        archive=buffer.getvalue(),
        notes=tuple(notes),
        first_notes=_left_out(identity),
        agent=agent.name,
        seal=seal,
    )


def _add_variables(tar: tarfile.TarFile, variables: Mapping[str, str], umask: int | None) -> None:
    """Add what is read by a shell before the agent starts."""
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    lines += "" if umask is None else f"umask {umask & 0o077:03o}\n"
    _add(tar, "environment", lines.encode("utf-8", "surrogateescape"))


def _add_files(tar: tarfile.TarFile, agent: Agent, login: StoredLogin) -> list[str]:
    """Add the agent's files, the host's and those of a stored login; return notes about them."""
    files, notes = _files(agent)
    for name, text in login.files.items():
        files[PurePosixPath(name).name] = _joined(files.get(PurePosixPath(name).name), text)
    for name, content in files.items():
        _add(tar, f"files/{name}", content)
    return notes


def _add_user_config(tar: tarfile.TarFile, agent: Agent, instructions: str) -> tuple[str, ...]:
    """Add the user's own configuration and the session's instructions; return notes about them."""
    if not agent.user_config and not (instructions and agent.instructions):
        return ()
    _add_folder(tar, "files/user-config")
    reading = user_config.read(agent.user_config)
    for copy in user_config.with_instructions(reading.copies, agent.instructions, instructions):
        _add(tar, f"files/user-config/{copy.name}", copy.content, executable=copy.executable)
    return tuple(reading.notes)


def _files(agent: Agent) -> tuple[dict[str, bytes], list[str]]:
    """Read the host's files for an agent, by their name in the seed, and notes about them."""
    files, notes = {}, []
    for item in agent.files:
        try:
            content = _read(_host_path(item))
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            notes.append(f"{item.source} was left out: {reason}")
        else:
            if content is not None:
                files[item.target] = content
                notes += _exposed(item) if item.target in agent.credentials else []
    return files, notes


def _joined(host: bytes | None, stored: str) -> bytes:
    """A file of the host's and one of a stored login as one, where both are JSON objects."""
    both = {**json_object((host or b"").decode("utf-8", "replace")), **json_object(stored)}
    return (json.dumps(both) if both else stored).encode()


def _left_out(identity: Identity) -> tuple[str, ...]:
    if not identity.left_out:
        return ()
    return (
        "git settings that name programs of this machine were left out of the session: "
        + ", ".join(identity.left_out),
    )


def without_logins(agent: Agent, environment: Mapping[str, str]) -> tuple[Agent, Mapping[str, str]]:
    """Leave out of an agent and an environment all that could hold a key.

    No variable, file or setting of the user is sent then; a proxy is, unless a password is in it.
    """
    bare = replace(agent, environment=(), files=(), user_config=())
    rest = {name: value for name, value in environment.items() if name not in PROXIES or "@" not in value}
    return bare, rest


def without_credentials(agent: Agent, environment: Mapping[str, str]) -> tuple[Agent, Mapping[str, str]]:
    """Leave out of an agent all that agent.yaml counts as a login; the user's settings are sent."""
    variables = tuple(name for name in agent.environment if name not in agent.credentials)
    files = tuple(item for item in agent.files if item.target not in agent.credentials)
    return replace(agent, environment=variables, files=files), environment


def _host_path(item: HostFile) -> Path:
    return Path(item.source).expanduser()


def _is_there(item: HostFile) -> bool:
    try:
        return _host_path(item).is_file()
    except (OSError, RuntimeError):  # a directory that may not be entered; ~nobody
        return False


def _is_login(item: HostFile) -> bool:
    """Whether the file exists and holds a key under a name that agent.yaml gives; False if unreadable."""
    if not item.login_keys:
        return _is_there(item)
    try:
        content = json.loads(_read(_host_path(item)) or b"{}")
    except (OSError, ValueError, RuntimeError, RecursionError):
        return False
    return isinstance(content, dict) and any(_is_key(content.get(key)) for key in item.login_keys)


def _is_key(value: object) -> bool:
    """Whether a value can be a key: a text, and not what guides write where one's own key belongs."""
    return isinstance(value, str) and bool(value.strip()) and not PLACEHOLDER.fullmatch(value.strip())


def _exposed(item: HostFile) -> list[str]:
    """A line where others on this machine may read a login."""
    path = _host_path(item).resolve()
    others = path.stat().st_mode & 0o044
    if others and all(parent.stat().st_mode & 0o011 for parent in path.parents) and _is_login(item):
        return [f"{item.source} can be read by other users of this machine: chmod 600 {item.source}"]
    return []


def _read(path: Path) -> bytes | None:
    """The file's bytes, None where there is none. OSError for what is too large or not a regular file."""
    try:
        return nofollow.read_whole(path, largest=LARGEST, links=True)
    except FileNotFoundError:
        return None


def _add(tar: tarfile.TarFile, name: str, content: bytes, *, executable: bool = False) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o700 if executable else 0o600
    tar.addfile(entry, io.BytesIO(content))


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o700
    tar.addfile(entry)


EMPTY = Seed(archive=bytes(tarfile.RECORDSIZE))
