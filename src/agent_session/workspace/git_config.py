"""The commands, and files with more of them, that git's config of a repository names."""

import os
import re
import shlex
import subprocess
from pathlib import Path

COMMANDS = (
    r"core\.(fsmonitor|sshcommand|pager|editor|askpass|gitproxy|hookspath|alternaterefscommand)"
    r"|sequence\.editor|alias\..*|pager\..*|include(if\..*)?\.path"
    r"|(filter|diff|merge|difftool|mergetool|trailer|browser|man)"
    r"\..*\.(clean|smudge|process|command|textconv|driver|cmd|path)"
    r"|diff\.external|gpg\.(.*\.)?program|credential\.(.*\.)?helper"
    r"|interactive\.difffilter|remote\..*\.(receivepack|uploadpack)"
)
"""Keys of git's config whose value is a command, or a file with more of them."""


def paths_named(root: Path, git: Path) -> list[tuple[str, Path]]:
    """The keys of a repository's config that name commands or more config, each with a path it may mean."""
    return [
        (key.lower(), Path(os.path.normpath((git if key.startswith("include") else root) / word)))
        for key, value in _config(root)
        if re.fullmatch(COMMANDS, key.lower())
        for word in _words(key, value)
    ]


def _config(root: Path) -> list[tuple[str, str]]:
    """Read git's whole config for a repository on this host; empty without git, as nothing runs then."""
    try:
        done = subprocess.run(
            ["git", "config", "--list", "-z"], cwd=root, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    pairs = (item.partition("\n") for item in os.fsdecode(done.stdout).split("\0"))
    return [(key, value) for key, _, value in pairs if key]


def _words(key: str, value: str) -> list[str]:
    if key.lower().endswith("path"):
        return [value] if value else []
    try:
        return [word for word in shlex.split(value.lstrip("!")) if word]
    except ValueError:
        return [word for word in value.split() if word]
