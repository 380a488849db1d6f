"""The program itself: how it was installed, the links to it, and the command that removes it."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agent_session.errors import AgentSessionError
from agent_session.host import git, paths

GIT_SECONDS = 10
LOOKS = {
    "changes that are not committed": ("status", "--porcelain"),
    "commits that are in no other repository": ("log", "--oneline", "-1", "--branches", "--not", "--remotes"),
    "stashes": ("stash", "list"),
}
"""How a clone's work that exists nowhere else is found: what it is, and git's words, which print it."""


class Removal(NamedTuple):
    """What is to be removed, and the command that does it."""

    what: str
    command: str


def removal(environment: Mapping[str, str]) -> Removal:
    """The command that undoes the way in which this program was installed, as far as that can be seen."""
    prefix = Path(sys.prefix)
    if "pipx" in prefix.parts:
        return Removal("the program", "pipx uninstall agent-session")
    if "uv" in prefix.parts and "tools" in prefix.parts:
        return Removal("the program", "uv tool uninstall agent-session")
    folder = checkout()
    if folder is None:
        return Removal("the program", f"{shlex.quote(sys.executable)} -m pip uninstall agent-session")
    if work := unsaved_work(folder, environment):
        return Removal(
            f"the program; its clone has {work}, so look first",
            shlex.join(["git", "-C", str(folder), "status"]),
        )
    users = paths.agent_folders()[-1].parent
    venvs = [str(path) for path in (users / "venv", users / "pycache") if path.is_dir()]
    return Removal("the program", shlex.join(["rm", "-rf", str(folder), *venvs]))


def checkout() -> Path | None:
    """The checkout that this program runs from; None for an installed package."""
    folder = Path(__file__).resolve().parents[3]
    return folder if (folder / "pyproject.toml").is_file() else None


def unsaved_work(folder: Path, environment: Mapping[str, str]) -> str:
    """What a git clone has and no other repository: in words, "" for nothing and for no clone."""
    if not (folder / ".git").exists():
        return ""
    try:
        found = {
            words: git.run(folder, *command, environment=environment, seconds=GIT_SECONDS)
            for words, command in LOOKS.items()
        }
    except AgentSessionError:
        return "a repository that git cannot read"
    return " and ".join(words for words, output in found.items() if output.strip())


def links() -> tuple[Path, ...]:
    """The links that scripts/setup makes: to the program, its man pages and its completion."""
    folder = checkout()
    if folder is None:
        return ()
    local, data = Path.home() / ".local", paths.agent_folders()[-1].parents[1]
    places = (
        local / "bin" / "agent-session",
        *sorted((local / "share" / "man" / "man1").glob("agent-session*.1")),
        data / "bash-completion" / "completions" / "agent-session",
        data / "fish" / "vendor_completions.d" / "agent-session.fish",
    )
    homes = (folder, data / "agent-session" / "venv")
    return tuple(path for path in places if path.is_symlink() and _leads_into(path, homes))


def _leads_into(link: Path, folders: tuple[Path, ...]) -> bool:
    target = link.readlink()
    return any((link.parent / target).is_relative_to(folder) for folder in folders)
