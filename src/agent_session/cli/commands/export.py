"""`agent-session export`: a session in one file; and what `start --import` reads of it."""

import shlex
from pathlib import Path
from typing import Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument
from agent_session.errors import Hint, UsageError

File = Annotated[
    Path, Argument(metavar="FILE.tar.zst", help="The file to write; an existing file is replaced.")
]

SUFFIXES = (".tar.zst", ".tzst", ".tar.zstd")


def export(invocation: Invocation, name: Name, file: File) -> None:
    """Save a session, running or stopped: its home with the conversations, and /workspace beside the
    projects.

    The projects themselves stay where they are. `agent-session start --import FILE` brings it back, anywhere.
    """
    from agent_session.sessions import archive, find

    if not file.name.endswith(SUFFIXES):
        stem = file.name.partition(".")[0] or name
        raise UsageError(
            f"{str(file)!r} must end with .tar.zst: it is written as a Zstandard archive",
            hint=Hint("export", [name, str(file.with_name(stem + SUFFIXES[0]))]),
        )
    if file.exists() and not file.is_file():
        raise UsageError(f"{str(file)!r} is not a file", hint=Hint("export", [name, f"{name}.tar.zst"]))
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"there is no directory {str(file.absolute().parent)!r}",
            hint=Hint(shell=f"mkdir -p {shlex.quote(str(file.parent))}"),
        )
    with invocation.engine() as engine, invocation.locked(name):
        session, others = find.with_others(engine, name)
        agent = invocation.agents().get(session.agent)
        if session.running:
            note(
                f"session '{name}' runs: what it writes at this moment may be "
                f"saved incomplete (agent-session stop {name})"
            )
        if session.clones:
            from agent_session.sessions import clones

            clones.make_whole(engine, session)
        for line in archive.save(engine, session, agent, file.absolute(), find.written_by_agents(others)):
            note(f"left out: {line}")
    left_out = ["logins", *(f"~/{path}" for path in (agent.private if agent else ()))]
    note(f"left out: {', '.join(left_out)}; the projects stay in their directories")
    print(file)
