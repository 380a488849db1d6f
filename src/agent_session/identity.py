"""Who the user is to git: name and email of the host's own configuration, as a configuration file for sessions.

In a session it is included by the system's configuration, so what the agent sets in its home or a project wins.
"""

import subprocess
from collections.abc import Mapping

SECONDS = 5
# Not GIT_CONFIG_COUNT and its like: those are one command's, and not GIT_DIR: that is one repository's.
KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL")


def read(environment: Mapping[str, str]) -> dict[str, str]:
    """Values of the user's global git configuration by lower-case key, user.* only; {} where git or they are missing."""
    command = ["git", "-C", "/", "config", "--global", "--includes", "--null", "--get-regexp", r"^user\.(name|email)$"]
    kept = {name: environment[name] for name in KEPT if name in environment}
    try:
        done = subprocess.run(command, env=kept, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    if done.returncode:
        return {}
    entries = (entry.partition("\n") for entry in done.stdout.decode("utf-8", "replace").split("\0") if entry)
    return {key: value for key, _, value in entries}


def configuration(values: Mapping[str, str]) -> bytes:
    """A git configuration file with these values; a later one of the same key wins."""
    lines = []
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        lines.append(f'[{section}]\n\t{name} = "{quoted}"\n')
    return "".join(lines).encode()
