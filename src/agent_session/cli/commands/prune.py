"""`agent-session prune`: remove what can be had again, after a question."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli.commands.df import written
from agent_session.cli.context import Exit, Invocation, note, on_terminal
from agent_session.cli.parameters import Option
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.sessions.disk import Disk

Yes = Annotated[bool, Option("-y", "--yes", help="Do not ask.")]
Caches = Annotated[bool, Option("--caches", help="Also the package caches in the homes of stopped sessions.")]


def prune(invocation: Invocation, yes: Yes = False, caches: Caches = False) -> None:
    """Remove images that no session has and no new one would get, and print what is gone.

    It names what it keeps, and asks. No session, home, project or login is ever removed: that is `rm`.
    """
    from agent_session.sessions import disk, find

    with invocation.engine() as engine:
        found = disk.measure(engine, invocation.installation)
        stopped = [one for one in found.sessions if one.status == "stopped" and one.caches] if caches else []
        lines = [f"image {one.reference} ({written(one.size)})" for one in found.unused]
        lines += [f"the caches of '{one.name}' ({written(one.caches)})" for one in stopped]
        _tell_kept(found, caches=caches)
        if not lines:
            note("nothing to remove")
            return
        _ask(lines, yes=yes, caches=caches)
        for reference in disk.remove_images(engine, found.unused):
            print(reference)
        for one in stopped:
            with invocation.locked(one.name):
                session = find.get(engine, one.name)
                if not session.running:
                    disk.clear_caches(engine, [session])
                    print(f"caches of {one.name}")


def _tell_kept(found: "Disk", *, caches: bool) -> None:
    """Say what stays, and what would remove it."""
    names = ", ".join(f"'{one.name}'" for one in found.sessions)
    if names:
        note(f"kept: {names} with home and workspace (agent-session rm)")
    used = [one.reference for one in found.images if one.sessions or one.current]
    if used:
        note(f"kept: {len(used)} image{'s' if len(used) > 1 else ''} in use or current")
    for volume in found.left:
        note(f"kept: {volume}, left of a session whose container is gone (agent-session doctor)")
    held = [one.name for one in found.sessions if one.caches]
    if held and not caches:
        note("kept: caches in homes (agent-session prune --caches)")


def _ask(lines: list[str], *, yes: bool, caches: bool) -> None:
    """Ask a person; a "no" ends the program. Raises UsageError where nobody can be asked."""
    for line in lines:
        note(f"to be removed: {line}", needed=True)
    if yes:
        return
    if not on_terminal():
        words = ["--yes", *(["--caches"] if caches else [])]
        raise UsageError("prune asks first, and there is no terminal to ask on", hint=Hint("prune", words))
    from agent_session.cli import questions

    if not questions.confirm("Remove these?", default=False):
        note("nothing was removed", needed=True)
        raise Exit(1)
