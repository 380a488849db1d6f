"""URLs of git repositories: https://, ssh://, git@host:path, file://, each with #branch."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agent_session.errors import Hint
from agent_session.workspace.errors import ProjectRefused

SCHEMES = ("https", "http", "ssh", "file")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
SCP = re.compile(r"(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^:]+")
"""user@host:path, as scp and git read it; without a user only where there is no such file."""
BRANCH = re.compile(r"(?!-)[^\s~^:?*\[\\\x00-\x20\x7f]+")


@dataclass(frozen=True, kw_only=True)
class GitUrl:
    """A repository elsewhere. `url` holds no password; `branch` is "" where the repository's own is meant."""

    url: str
    branch: str = ""

    @property
    def host(self) -> str:
        """The machine's name; "" for a file."""
        if SCHEME.match(self.url):
            return urlsplit(self.url).hostname or ""
        return self.url.partition(":")[0].rpartition("@")[2]

    @property
    def port(self) -> int | None:
        """The port that it names."""
        return urlsplit(self.url).port if SCHEME.match(self.url) else None

    @property
    def login(self) -> str:
        """The machine's name as ssh is told it, with the user if there is one."""
        user = urlsplit(self.url).username if SCHEME.match(self.url) else self.url.rpartition("@")[0]
        return f"{user}@{self.host}" if user else self.host

    @property
    def by_ssh(self) -> bool:
        """Whether ssh is the way to it."""
        return self.url.startswith("ssh://") or not SCHEME.match(self.url)

    @property
    def path(self) -> Path | None:
        """The directory that a file:// URL means."""
        return Path(unquote(urlsplit(self.url).path)) if self.url.startswith("file://") else None

    @property
    def name(self) -> str:
        """What its directory is called, as git clone calls it."""
        last = re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git")
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", unquote(last)).strip("-.") or "project"


def split_branch(text: str) -> tuple[str, str]:
    """What stands before and after the last `#`. A directory that has one in its name is itself."""
    before, mark, branch = text.rpartition("#")
    if not mark or Path(text).expanduser().exists():
        return text, ""
    if not BRANCH.fullmatch(branch):
        raise ProjectRefused(text, f"{branch!r} cannot be the name of a branch")
    return before, branch


def read(text: str) -> GitUrl | None:
    """The URL that was typed, None for a path. Raises ProjectRefused for a URL that cannot be used."""
    scheme = SCHEME.match(text)
    scp = SCP.fullmatch(text.partition("#")[0]) and not Path(text).expanduser().exists()
    if not scheme and not (scp and ("@" in text.partition(":")[0] or ".git" in text or _is_host(text))):
        return None
    if not text.isprintable() or re.search(r"\s", text):
        raise ProjectRefused(text, "there is a space or a control character in the URL")
    url, branch = split_branch(text)
    if scheme:
        if scheme[1].lower() not in SCHEMES:
            raise ProjectRefused(text, f"{scheme[1]}:// is not among {', '.join(SCHEMES)}")
        url = scheme[1].lower() + url[len(scheme[1]) :]
        _check_login(url)
        if not urlsplit(url).path.strip("/"):
            raise ProjectRefused(text, "the URL names no repository")
    found = GitUrl(url=url, branch=branch)
    if found.host.startswith("-") or url.startswith("-"):
        raise ProjectRefused(text, "it cannot begin with a dash")
    return found


def without_login(url: str) -> str:
    """The URL without a password, and for http without a user, who is often a token."""
    if not SCHEME.match(url):
        return url
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    keep = user if parts.scheme == "ssh" else ""
    return parts._replace(netloc=f"{keep}@{host}" if at and keep else host).geturl()


def _check_login(url: str) -> None:
    try:
        bare = without_login(url)
        port = urlsplit(url).port
    except ValueError as error:
        raise ProjectRefused(url, f"it is not a URL: {error}") from error
    del port
    if bare != url:
        raise ProjectRefused(
            bare,
            "a login in a URL can be seen by everyone who lists processes; lend your token instead",
            hint=Hint("start", ["--clone", "--github-token", bare]),
        )


def _is_host(text: str) -> bool:
    return "." in text.partition(":")[0] and "/" in text.partition(":")[2]
