"""The user's git identity, and on request the means to sign: the ssh-agent and a GitHub token.

A session receives it as a git configuration that its system configuration includes: the agent's own settings,
in its home or in a project, win. Keys stay on the host: the ssh-agent signs there, and the session gets its
socket.
"""

import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10
# Not GIT_CONFIG_COUNT and its like: those are one command's, and not GIT_DIR: that is one repository's.
KEPT = (
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GH_CONFIG_DIR",
    "GH_HOST",
    "DBUS_SESSION_BUS_ADDRESS",
)
ALWAYS = ("user.name", "user.email")
SIGNING = ("gpg.format", "user.signingkey", "commit.gpgsign", "tag.gpgsign")
NO_AGENT = "none"
"""In place of a socket: the ssh-agent is to be lent, but none runs."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The settings of git by key, variables for the agent's environment, and notes for the user."""

    git: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def configuration(self) -> bytes:
        """The git configuration file; empty without settings."""
        return "".join(_lines(key, value) for key, value in self.git).encode("utf-8", "surrogateescape")


UNKNOWN = Identity()


def read(environment: Mapping[str, str], *, signing: bool = False, github: bool = False) -> Identity:
    """Read name and email from the user's global git configuration.

    With `signing` also the way commits are signed, with `github` a token. Nothing is raised: the notes of the
    identity say what is missing.
    """
    settings = _global(environment)
    values = [(key, settings[key]) for key in ALWAYS if key in settings]
    notes = []
    variables = []
    if signing:
        key = _public_key(settings)
        if key:
            values += [(name, settings[name]) for name in SIGNING if name in settings] + [
                ("user.signingkey", f"key::{key}")
            ]
        else:
            notes.append(
                "commits cannot be signed: a session signs with an SSH key only (git config --global "
                "gpg.format ssh)"
            )
    if github:
        token = (
            environment.get("GH_TOKEN")
            or environment.get("GITHUB_TOKEN")
            or _ask(["gh", "auth", "token"], environment).strip()
        )
        if token:
            variables = [("GH_TOKEN", token), ("GITHUB_TOKEN", token)]
            helper = (
                "!. /run/agent-session/seed/environment; "
                'echo username=x-access-token; echo "password=$GH_TOKEN"; :'
            )
            values.append(("credential.https://github.com.helper", helper))
        else:
            notes.append(
                "no GitHub token found (looked for GH_TOKEN, GITHUB_TOKEN and gh's login); gh auth login"
            )
    return Identity(git=tuple(values), variables=tuple(variables), notes=tuple(notes))


def agent_socket(environment: Mapping[str, str]) -> str:
    """The path of the user's ssh-agent, or NO_AGENT."""
    path = environment.get("SSH_AUTH_SOCK", "")
    try:
        return path if path.startswith("/") and stat.S_ISSOCK(Path(path).stat().st_mode) else NO_AGENT
    except OSError:
        return NO_AGENT


def _global(environment: Mapping[str, str]) -> dict[str, str]:
    listed = _ask(["git", "-C", "/", "config", "--global", "--includes", "--null", "--list"], environment)
    entries = (entry.partition("\n") for entry in listed.split("\0") if entry)
    return {key: value for key, _, value in entries}


def _public_key(settings: Mapping[str, str]) -> str:
    """The public half of the signing key, itself and not a path; "" if it is not an SSH key."""
    named = settings.get("user.signingkey", "").removeprefix("key::")
    if settings.get("gpg.format") != "ssh" or not named:
        return ""
    if named.startswith(("ssh-", "ecdsa-", "sk-")):
        return named
    path = Path(named)
    try:
        path = path.expanduser()
        public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
        return public.read_text()[:10_000].strip()
    except (OSError, ValueError, RuntimeError):
        return ""


def _ask(command: list[str], environment: Mapping[str, str]) -> str:
    """The answer of a program on the host; "" if it fails."""
    kept = {name: environment[name] for name in KEPT if name in environment}
    try:
        done = subprocess.run(
            command,
            env=kept,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "surrogateescape")


def _lines(key: str, value: str) -> str:
    section, _, name = key.rpartition(".")
    head, _, sub = section.partition(".")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return (f'[{head} "{sub}"]\n' if sub else f"[{head}]\n") + f'\t{name} = "{quoted}"\n'
