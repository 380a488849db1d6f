"""The user's git settings for a session, and on request the means to sign and a GitHub token.

A session receives them as git configurations that its system configuration includes: the agent's own
settings, in its home or in a project, win. They are the user's as git has them in each project on this host.
Keys stay on the host: the ssh-agent signs there, and the session gets its socket.
"""

import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent_session import inside
from agent_session.host import git_keys, nofollow

SECONDS = 5
# Not GIT_CONFIG_COUNT and its like: those are one command's, and not GIT_DIR: that is one repository's.
KEPT = (
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GH_CONFIG_DIR",
    "GH_HOST",
    "DBUS_SESSION_BUS_ADDRESS",
)
SIGNING = ("gpg.format", "user.signingkey", "commit.gpgsign", "tag.gpgsign")
FILES = (("core.excludesfile", "ignore"), ("core.attributesfile", "attributes"))
"""Settings that name a file of the user's, and its name below ~/.config/git where none is set."""
LARGEST = 1_000_000
NO_AGENT = "none"
"""In place of a socket: the ssh-agent is to be lent, but none runs."""


@dataclass(frozen=True, kw_only=True)
class GitProject:
    """A project's directory on the host, and the git directories that the session has for it.

    `filters` are those that its files are committed through and that git has no setting for in a session.
    """

    directory: Path
    inside: tuple[str, ...]
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Configuration files by name, variables for the agent's environment, and notes for the user."""

    files: tuple[tuple[str, bytes], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Keys of settings that name programs of this machine."""


UNKNOWN = Identity()


def read(
    environment: Mapping[str, str],
    projects: Sequence[GitProject] = (),
    *,
    signing: bool = False,
    github: bool = False,
) -> Identity:
    """Read the settings of the user's git, for all repositories and for those of the projects.

    With `signing` also the way commits are signed, with `github` a token. Nothing is raised: the notes of the
    identity say what is missing.
    """
    settings = _settings(environment, Path("/"))
    found = [(None, settings), *((one, _settings_in(environment, one, settings)) for one in projects)]
    common: list[tuple[str, str]] = []
    identity = UNKNOWN
    if signing and not any(_public_key(each) for _, each in found):
        note = (
            "commits cannot be signed: a session signs with an SSH key only (git config --global "
            "gpg.format ssh)"
        )
        identity = replace(identity, notes=(note,))
    if github:
        identity, common = _with_token(identity, environment)
    files: dict[str, bytes] = {}
    first: list[tuple[str, str]] | None = None
    for number, (project, each) in enumerate(found):
        values = [*_carried(environment, each, files, number, signing=signing), *_refusals(project)]
        if first is None:
            first = values
        elif project and values != first:
            name = f"gitconfig-{number}"
            files[name] = _written(values)
            common += [(f"includeif.gitdir:{path}.path", f"{inside.SEED}/{name}") for path in project.inside]
    if content := _written([*(first or []), *common]):
        files["gitconfig"] = content
    left_out = {
        key for _, each in found for key, value in each.items() if git_keys.names_a_program(key, value)
    }
    if left_out:  # what the machine's administrator has set is no choice of the user's
        left_out -= _settings(environment, Path("/"), ("--system",)).keys()
    return replace(identity, files=tuple(files.items()), left_out=tuple(sorted(left_out)))


def agent_socket(environment: Mapping[str, str]) -> str:
    """The path of the user's ssh-agent, or NO_AGENT."""
    path = environment.get("SSH_AUTH_SOCK", "")
    try:
        return path if path.startswith("/") and stat.S_ISSOCK(Path(path).stat().st_mode) else NO_AGENT
    except OSError:
        return NO_AGENT


def _with_token(identity: Identity, environment: Mapping[str, str]) -> tuple[Identity, list[tuple[str, str]]]:
    token = (
        environment.get("GH_TOKEN")
        or environment.get("GITHUB_TOKEN")
        or _ask(["gh", "auth", "token"], environment).strip()
    )
    if not token:
        note = "no GitHub token found (looked for GH_TOKEN, GITHUB_TOKEN and gh's login); gh auth login"
        return replace(identity, notes=(*identity.notes, note)), []
    helper = (
        '!. /run/agent-session/seed/environment; echo username=x-access-token; echo "password=$GH_TOKEN"; :'
    )
    variables = (("GH_TOKEN", token), ("GITHUB_TOKEN", token))
    return replace(identity, variables=variables), [("credential.https://github.com.helper", helper)]


def _carried(
    environment: Mapping[str, str],
    settings: Mapping[str, str],
    files: dict[str, bytes],
    number: int,
    *,
    signing: bool,
) -> list[tuple[str, str]]:
    """The settings that the session gets; the content of files that they name goes into `files`."""
    values = [(key, value) for key, value in settings.items() if git_keys.is_preference(key, value)]
    for key, name in FILES:
        if content := _content(environment, settings.get(key), name):
            known = next((had for had, text in files.items() if text == content), f"git{name}-{number}")
            files[known] = content
            values.append((key, f"{inside.SEED}/{known}"))
    key = _public_key(settings) if signing else ""
    if key:
        values += [(name, settings[name]) for name in SIGNING if name in settings]
        values.append(("user.signingkey", f"key::{key}"))
    return values


def _refusals(project: GitProject | None) -> list[tuple[str, str]]:
    """Settings by which nothing is committed that a filter should have changed first."""
    return [
        setting
        for name in (project.filters if project else ())
        for setting in (
            (f"filter.{name}.clean", f"{inside.MISSING_FILTER} {name}"),
            (f"filter.{name}.smudge", "cat"),
            (f"filter.{name}.required", "true"),
        )
    ]


def _settings_in(
    environment: Mapping[str, str], project: GitProject, common: Mapping[str, str]
) -> Mapping[str, str]:
    """The settings in a project: other ones only if there are conditional ones."""
    if not any(key.startswith("includeif.") for key in common):
        return common
    return _settings(environment, project.directory)


def _settings(
    environment: Mapping[str, str], directory: Path, scopes: Sequence[str] = ("--system", "--global")
) -> dict[str, str]:
    """The system's and the user's settings, as git in that directory has them; never a repository's own."""
    settings: dict[str, str] = {}
    for scope in scopes:
        command = ["git", "-C", str(directory), "config", scope, "--includes", "--null", "--list"]
        for entry in _ask(command, environment).split("\0")[:-1]:
            key, has_value, value = entry.partition("\n")
            settings[key] = value if has_value else "true"
    return settings


def _content(environment: Mapping[str, str], named: str | None, name: str) -> bytes:
    """The content of a file that a setting names, or of the one that git reads where there is none."""
    home = environment.get("HOME", "")
    if named is None:
        named = f"{environment.get('XDG_CONFIG_HOME') or f'{home}/.config'}/git/{name}"
    path = Path(f"{home}{named[1:]}" if named.startswith("~/") else named)
    try:
        return nofollow.read_whole(path, largest=LARGEST, links=True) if path.is_absolute() else b""
    except (OSError, ValueError):
        return b""


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


def _written(values: Sequence[tuple[str, str]]) -> bytes:
    return "".join(_lines(key, value) for key, value in values).encode("utf-8", "surrogateescape")


def _lines(key: str, value: str) -> str:
    section, _, name = key.rpartition(".")
    head, _, sub = section.partition(".")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    sub = sub.replace("\\", "\\\\").replace('"', '\\"')
    return (f'[{head} "{sub}"]\n' if sub else f"[{head}]\n") + f'\t{name} = "{quoted}"\n'
