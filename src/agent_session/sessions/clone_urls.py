"""Clones of URLs: how git of a session reaches a host, with what the user lends it for that."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_session import inside
from agent_session.engine.container import Mount
from agent_session.errors import Hint
from agent_session.workspace import git_urls
from agent_session.workspace.clones import Clone

if TYPE_CHECKING:
    from agent_session.sessions.clones import Access
    from agent_session.sessions.request import SessionRequest

TOKEN_HOST = "github.com"
"""The only host that is sent the user's GitHub token."""
LARGEST_KEYS = 100_000


def order(clone: Clone, access: "Access") -> dict[str, Any]:
    """What the clone program is told of a URL."""
    url = git_urls.GitUrl(url=clone.source)
    ssh, known_hosts = _ssh(url, access.environment) if url.by_ssh else ([], "")
    return {
        "url": clone.source,
        "branch": clone.branch,
        "token": access.token if url.host == TOKEN_HOST else "",
        "token_host": url.host,
        "ssh": ssh,
        "known_hosts": known_hosts,
    }


def lent(request: "SessionRequest", access: "Access") -> Iterator[Mount]:
    """Mount this machine's certificates, and the socket of the user's ssh-agent if it is lent."""
    if request.ca_bundle:
        source = str(request.ca_bundle.resolve())
        yield Mount(kind="bind", source=source, target=inside.CA_BUNDLE, read_only=True)
    if access.ssh_agent.startswith("/"):
        yield Mount(kind="bind", source=str(Path(access.ssh_agent).resolve()), target=inside.SSH_AGENT)


def variables(access: "Access") -> dict[str, str]:
    """Variables of the program that clones."""
    return {"SSH_AUTH_SOCK": str(inside.SSH_AGENT)} if access.ssh_agent.startswith("/") else {}


def hint(clone: Clone, said: str, access: "Access") -> Hint:
    """The command that is perhaps the cure, where git has said that about a clone."""
    typed = clone.source + (f"#{clone.branch}" if clone.branch else "")
    url = None if clone.directory else git_urls.GitUrl(url=clone.source)
    if url and url.by_ssh and "Host key verification" in said:
        return Hint(shell=f"ssh -T {url.host}", note="learns its key; then start again")
    if url and url.by_ssh and "Permission denied" in said and access.ssh_agent:
        return Hint(shell="ssh-add -l", note="lists the keys of your ssh-agent, which the host did not take")
    if url and url.by_ssh and not access.ssh_agent:
        return Hint("start", ["--clone", "--ssh-agent", typed])
    wanted = ("could not read", "Authentication", "403", "401", "not found")
    if url and not url.by_ssh and any(word in said for word in wanted):
        return Hint("start", ["--clone", "--github-token", typed], note="with your token, if it is private")
    return Hint("start", ["--clone", typed], note="tries again")


def _ssh(url: git_urls.GitUrl, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """How the user's ssh would reach a host: options for ssh, and what is known of the host's key.

    What its configuration runs or reads from files is left out: keys are the ssh-agent's.
    """
    words = ["ssh", "-G", *(["-p", str(url.port)] if url.port else []), url.login]
    said = dict(line.partition(" ")[::2] for line in _asked(words, environment).splitlines())
    name, port = said.get("hostname", url.host), said.get("port", "22")
    named = name if port == "22" else f"[{name}]:{port}"
    files = f"{said.get('userknownhostsfile', '')} {said.get('globalknownhostsfile', '')}".split()
    keys = [_asked(["ssh-keygen", "-F", named, "-f", file], environment) for file in files]
    user = [f"User={said['user']}"] if "user" in said else []
    return [f"HostName={name}", f"Port={port}", *user], "".join(keys)[:LARGEST_KEYS]


def _asked(words: list[str], environment: Mapping[str, str]) -> str:
    """What a program of the host answers; "" where it fails."""
    kept = {name: environment[name] for name in ("PATH", "HOME", "USER", "LOGNAME") if name in environment}
    try:
        done = subprocess.run(
            words, env=kept, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")[:LARGEST_KEYS]
