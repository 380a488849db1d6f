"""`agent-session apply`: bring a session's changes into a working tree of this machine, uncommitted."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli.commands.fetch import destination
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Into, JsonList, Name, Project
from agent_session.cli.parameters import Option

if TYPE_CHECKING:
    from agent_session.sessions.apply import Applied

Only = Annotated[
    list[str] | None, Option("--only", metavar="PATH", help="Files or directories to apply. Repeatable.")
]
DryRun = Annotated[bool, Option("--dry-run", help="Change nothing: print what would be changed.")]


def apply(
    invocation: Invocation,
    name: Name,
    project: Project = None,
    only: Only = None,
    into: Into = None,
    dry_run: DryRun = False,
    as_json: JsonList = False,
) -> None:
    """Bring all that a session changed since its start into your working tree, as uncommitted changes.

    What you changed yourself meanwhile is merged; where that cannot be done, or something would be lost,
    nothing is changed. Files that this machine runs by itself are named. Prints the files.
    """
    from agent_session.activity import shapes
    from agent_session.cli import output
    from agent_session.sessions import apply as applying
    from agent_session.sessions import find, which

    done = []
    with invocation.engine(one_question=True) as engine:
        session = find.get(engine, name)
        for clone in which.clones_meant(session, project):
            place = destination(clone, into, "apply", name)
            environment = invocation.environment
            done.append(
                applying.apply(engine, session, clone, place, environment, paths=only or (), dry_run=dry_run)
            )
            if not as_json:
                _tell(name, done[-1], dry_run=dry_run)
    if as_json:
        output.print_json([shapes.applied(one) for one in done])


def _tell(name: str, done: "Applied", *, dry_run: bool) -> None:
    for path in done.written:
        print(path)
    count = "1 file" if len(done.written) == 1 else f"{len(done.written)} files"
    if done.written:
        would = "would be changed" if dry_run else "changed, not committed"
        note(f"{count} {would} in {done.into}")
    else:
        note(f"nothing of session '{name}' is missing in {done.into}")
    for path, why in done.running:
        note(f"warning: {path} runs by itself ({why}): look at it before you go on")
    if done.left:
        note(f"submodules are left as they are: {', '.join(done.left)}")
