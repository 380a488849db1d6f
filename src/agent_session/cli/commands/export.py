"""`agent-session export`: a session in one file; and what `start --import` reads of it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_session.cli.context import note, of
from agent_session.cli.options import Name
from agent_session.config import Config
from agent_session.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from agent_session.sessions import archive

File = Annotated[
    Path, typer.Argument(metavar="FILE.tar.zst", help="What to write; a file that is there is replaced.")
]


def export(context: typer.Context, name: Name, file: File) -> None:
    """Save a session, running or stopped: its home with the conversations, and /workspace beside the projects.

    The projects themselves stay where they are. `agent-session start --import FILE` brings it back, anywhere.
    """
    from agent_session.sessions import archive, find

    invocation = of(context)
    if file.exists() and not file.is_file():
        raise UsageError(f"{str(file)!r} is not a file", hint=f"agent-session export {name} {name}.tar.zst")
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"there is no directory {str(file.absolute().parent)!r}", hint=f"mkdir -p {file.parent}"
        )
    with invocation.engine() as engine, invocation.locked(name):
        session = find.get(engine, name)
        agent = invocation.agents().get(session.agent)
        if session.running:
            note(
                f"session '{name}' runs: what it writes at this moment may be caught half-written (agent-session stop {name})"
            )
        archive.save(engine, session, agent, file.absolute())
    left_out = ["logins", *(f"~/{path}" for path in (agent.private if agent else ()))]
    note(f"left out: {', '.join(left_out)}; the projects stay in their directories")
    print(file)


def imported(config: Config) -> "tuple[Config, archive.Manifest | None]":
    """With --import: what the archive says where nobody insists on something else. Nothing that would lower a guard."""
    from agent_session.sessions import archive

    if config.import_from is None:
        return config, None
    file = Path(config.import_from).expanduser()
    manifest = archive.read_manifest(file)
    if "agent" in config.insisted and config.agent != manifest.agent:
        raise ConflictError(f"{str(file)!r} is a session of agent {manifest.agent}, not {config.agent}")
    name = config.name if "name" in config.insisted else manifest.name
    if "projects" not in config.insisted:
        _check_there(file, name or manifest.name, manifest)
        sources = [str(project.source) for project in manifest.projects]
        note(f"projects, as the archive says: {', '.join(sources) or 'none'}")
        config = config.with_flags(projects=tuple(sources) or None)
    for option, value in manifest.options.items():
        if value and not getattr(config, option, None):
            note(f"not taken over from the archive: {option}={value!r}")
    return config.with_flags(agent=manifest.agent, name=name), manifest


def _check_there(file: Path, name: str, manifest: "archive.Manifest") -> None:
    missing = [str(project.source) for project in manifest.projects if not project.source.is_dir()]
    if missing:
        command = shlex.join(["agent-session", "start", "--import", str(file), "-n", name])
        raise UsageError(
            f"projects of the archive are not on this machine: {', '.join(missing)}",
            hint=f"{command} PROJECT...",
        )
