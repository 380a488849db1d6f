"""A unit of the user's systemd that starts a session when the machine has started."""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

from agent_session.errors import ConfigurationError, EngineUnavailable, Hint
from agent_session.host import atomic

WANTED = "default.target.wants"
LINGER = Path("/var/lib/systemd/linger")
SECONDS = 30


def unit_name(session: str) -> str:
    """The name of a session's unit."""
    return f"agent-session-{session}.service"


def folder(environment: Mapping[str, str]) -> Path:
    """Where the user's units are."""
    named = environment.get("XDG_CONFIG_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".config") / "systemd/user"


def text(session: str, program: Path) -> str:
    """The unit of a session, which `program` starts and stops."""
    command = f"/usr/bin/env {_quoted(str(program))}"  # systemd takes no program with odd characters itself
    return f"""[Unit]
Description=The session {session} of agent-session

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} restart --if-stopped --detach {session}
ExecStop={command} stop {session}
TimeoutStartSec=600
KillMode=process

[Install]
WantedBy=default.target
"""


def _quoted(word: str) -> str:
    """A word as a unit's command line has it (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def is_enabled(session: str, environment: Mapping[str, str]) -> bool:
    """Whether a session's unit is there and starts by itself."""
    return (folder(environment) / WANTED / unit_name(session)).is_symlink()


def enable(session: str, program: Path, environment: Mapping[str, str]) -> Path:
    """Write a session's unit and have it start by itself from the next boot on; returns its path.

    Raises EngineUnavailable where there is no systemd of the user, ConfigurationError where it refuses.
    """
    place = folder(environment)
    place.mkdir(parents=True, exist_ok=True)
    unit = place / unit_name(session)
    atomic.replace(unit, text(session, program).encode(), mode=0o644)
    try:
        _systemctl(environment, "daemon-reload")
        _systemctl(environment, "enable", unit.name)
    except BaseException:
        forget(session, environment)
        raise
    return unit


def disable(session: str, environment: Mapping[str, str]) -> bool:
    """Remove a session's unit; returns whether there was one."""
    there = (folder(environment) / unit_name(session)).exists()
    forget(session, environment)
    if there:
        with contextlib.suppress(EngineUnavailable, ConfigurationError):  # its next start sees it anyway
            _systemctl(environment, "daemon-reload")
    return there


def forget(session: str, environment: Mapping[str, str]) -> None:
    """Remove a session's unit without a word to systemd."""
    place = folder(environment)
    for path in (place / WANTED / unit_name(session), place / unit_name(session)):
        with contextlib.suppress(OSError):
            path.unlink()


def lingers() -> bool:
    """Whether the user's systemd runs from the machine's start on, not only while the user is logged in."""
    return (LINGER / pwd.getpwuid(os.getuid()).pw_name).exists()


def _systemctl(environment: Mapping[str, str], *words: str) -> None:
    try:
        done = subprocess.run(
            ["systemctl", "--user", *words],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineUnavailable(f"there is no systemd to ask: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        if "connect to bus" in said.lower():
            raise EngineUnavailable(
                f"the user's systemd does not answer: {said}",
                hint=Hint(shell="loginctl enable-linger", note="then log in again"),
            )
        raise ConfigurationError("systemctl --user", said, hint=Hint(shell="systemctl --user status"))
