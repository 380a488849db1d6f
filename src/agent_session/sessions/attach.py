"""Terminals attached to sessions, each with a token that tells live ones from those that vanished.

When a window is killed, `podman exec` dies with it but its client in the container lives on, unseen, and
keeps the session small for everyone. So each attaching process carries a token in its environment, in the
container and on the host; a token that no process on the host carries any more belongs to an orphan, which
the next attach ends.
"""

import binascii
import os
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "AGENT_SESSION_CLIENT"


def machine() -> str:
    """This machine's part of a token, without a dot: an engine may be shared by several machines."""
    return f"{binascii.crc32(os.uname().nodename.encode()):08x}"  # its name is no business of an agent's


def new_token() -> str:
    """A token for this process, which is about to become the attached client."""
    return f"{machine()}.{os.getpid()}.{os.urandom(4).hex()}"


def living_tokens() -> list[str]:
    """The tokens of this user's processes on this machine."""
    mark = f"{VARIABLE}={machine()}."
    return sorted(
        {word.removeprefix(f"{VARIABLE}=") for word in _environment_words() if word.startswith(mark)}
    )


def _environment_words() -> Iterator[str]:
    if sys.platform == "linux":
        here = Path("/proc/self/ns/pid").readlink()
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                try:
                    if (directory / "ns" / "pid").readlink() != here:
                        continue  # in a container: the very client that may be an orphan
                    yield from (directory / "environ").read_bytes().decode("utf-8", "replace").split("\0")
                except OSError:
                    continue  # another user's, or gone
    else:
        import subprocess

        listing = subprocess.run(
            ["ps", "-axwwE", "-o", "command"], capture_output=True, text=True, check=False
        )
        yield from listing.stdout.split()
