"""An agent that can log in, in three versions, the last of which does not start;
each has an image that is built once a user.
"""

from pathlib import Path

from tests import versions
from tests.storage import Storage

VERSIONS = ("one", "two", "broken")
AGENT = """title: Probe
environment: [PROBE_KEY, PROBE_TOKEN]
files: [{source: ~/.probe.json, target: probe.json}]
credentials: [PROBE_KEY, probe.json]
login: {command: [probe-login, a b], variable: PROBE_TOKEN, pattern: "probe-token-[a-z0-9]+",
  not_shared: ~/.probe-login}
"""
# Prints the token as a program does that breaks lines itself.
LOGIN = """#!/bin/sh
[ "$1" = "a b" ] || exit 4
stty -echo; printf 'Code: '; read -r code; stty echo; echo
[ "$code" = open ] || exit 3
printf '\\033[32mYour token:\\033[0m\\n\\n'
columns=$(stty size | cut -d' ' -f2) part=0123456789abcdef
echo "probe-token-$part$part$part$part$part$part" | fold -w "$columns"
printf '\\nStore it.\\n'
"""


def write(folder: Path, version: str) -> None:
    """Make the agent's folder that of one version, which its program `version` tells."""
    programs = folder / "rootfs" / "usr" / "local" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (folder / "agent.yaml").write_text(AGENT)
    (folder / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY rootfs/ /\nCMD []\n")
    (programs / "probe-login").write_text(LOGIN)
    (programs / "version").write_text(f"#!/bin/sh\necho {version}\n")
    start = programs / "session-run"
    start.unlink(missing_ok=True)
    if version == "broken":
        start.write_text("#!/bin/sh\necho broken >&2; exit 1\n")


def build(storage: Storage) -> dict[str, str]:
    """Build the images, by version, in the storage of the user who runs the tests."""
    return versions.build(storage, "probe", VERSIONS, write)
