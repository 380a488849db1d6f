"""`agent-session df`: what sessions and images take of the disk."""

from typing import Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Option
from agent_session.cli.table import print_table

AsJson = Annotated[bool, Option("--json", help="One JSON object on stdout, in bytes.")]


def df(invocation: Invocation, as_json: AsJson = False) -> None:
    """Show what each session's home, caches and workspace take of the disk, and each image.

    What images have in common is counted in each of them.
    """
    from agent_session.sessions import disk

    with invocation.engine() as engine:
        found = disk.measure(engine, invocation.installation)
    if as_json:
        from agent_session.activity import shapes
        from agent_session.cli import output

        output.print_json(shapes.disk(found))
        return
    if found.sessions:
        rows = [
            [one.name, one.status, *map(written, (one.home, one.caches, one.workspace, one.container))]
            for one in found.sessions
        ]
        print_table(["NAME", "STATUS", "HOME", "CACHES", "WORKSPACE", "CONTAINER"], rows)
    if found.sessions and found.images:
        print()
    if found.images:
        images = [
            [
                one.reference.removeprefix("localhost/"),
                written(one.size),
                ", ".join(one.sessions) or ("current" if one.current else "unused"),
            ]
            for one in found.images
        ]
        print_table(["IMAGE", "SIZE", "USED BY"], images)
    for volume, size in found.left.items():
        note(f"{volume} ({written(size)}) is left of a session whose container is gone")
    if found.unused:
        note("agent-session prune removes the images that nothing uses")


def written(size: int | None) -> str:
    """So many bytes for a person; "?" where nobody knows."""
    if size is None:
        return "?"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
