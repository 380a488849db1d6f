"""The sessions for shells' completion: names, and which of them run, by one podman command.

It neither waits nor complains: where Podman is broken, slow or not there, there are no sessions to be
offered.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = 2
FORMAT = (
    '{{.Names}}\t{{.Status}}\t{{index .Labels "agent-session.name"}}\t{{index .Labels "agent-session.agent"}}'
)


@dataclass(frozen=True, kw_only=True)
class Glimpse:
    """A session, as far as its name's completion needs to know it."""

    name: str
    agent: str
    running: bool


def sessions(environment: Mapping[str, str]) -> list[Glimpse]:
    """All sessions by name; none where that cannot be found out within SECONDS."""
    host = environment.get("CONTAINER_HOST")
    where = ["--url", host] if host else []
    filters = ["--all", "--filter", "label=agent-session.name"]
    try:
        done = subprocess.run(
            ["podman", *where, "ps", *filters, "--format", FORMAT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    found = {
        row[2]: Glimpse(name=row[2], agent=row[3], running=row[1].startswith("Up"))
        for row in rows
        if len(row) == 4 and row[0] == f"agent_{row[2]}" and row[2].isascii() and row[2].isprintable()
    }
    return [found[name] for name in sorted(found)]
