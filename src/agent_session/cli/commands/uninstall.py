"""`agent-session uninstall`: remove what agent-session has put on this machine, and say what stays."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli import questions
from agent_session.cli.commands.rm import Force
from agent_session.cli.context import Exit, Invocation, note, on_terminal
from agent_session.cli.parameters import Option
from agent_session.errors import ConflictError, Hint, UsageError

if TYPE_CHECKING:
    from agent_session.doctor.footprint import Leftovers
    from agent_session.sessions.session import Session

Settings = Annotated[bool, Option("--settings", help="Your settings and your own agents' folders, too.")]


def uninstall(invocation: Invocation, force: Force = None, settings: Settings = False) -> None:
    """Remove images, stored logins, caches and logs, and print what stays, each with the command that removes
    it.

    Not while there are sessions: what is in them is yours, and rm looks after it. Projects are never touched.
    """
    from agent_session.doctor import footprint
    from agent_session.sessions import find

    config = invocation.config.with_flags(force=force)
    with invocation.engine() as engine:
        there = find.list_sessions(engine)
        _check_none(there, footprint.remains(engine, {session.name for session in there}))
        found = footprint.find(engine, invocation.agents())
        _tell(found, settings=settings)
        if not config.force:
            if not on_terminal():
                raise UsageError(
                    "uninstall asks first, and there is no terminal to ask on",
                    hint=Hint("uninstall", ["--force"]),
                )
            if not questions.confirm("Remove all that?", default=False):
                note("nothing was removed", needed=True)
                raise Exit(1)
        footprint.remove(engine, found)
        stays = footprint.remaining(engine, found, invocation.environment, settings=not settings)
    footprint.remove_folders([*found.links, *found.folders, *(found.settings if settings else ())])
    for one in stays:
        print(f"{one.command}  # stays: {one.what}")


def _check_none(there: "list[Session]", remains: "dict[str, list[str]]") -> None:
    """Raise ConflictError where there are sessions, or volumes of sessions without a container.

    There may be work in both.
    """
    names = [session.name for session in there]
    words = [f"there are sessions: {', '.join(names)}"] if names else []
    volumes = [volume for found in remains.values() for volume in found]
    words += (
        [f"there are volumes of sessions whose containers are gone: {', '.join(volumes)}"] if volumes else []
    )
    if words:
        remove = Hint("rm", [*names, *remains])
        running = any(session.running for session in there)
        hint = Hint("stop", ["--all"], then=remove) if running else remove
        raise ConflictError(f"{'; '.join(words)}; uninstall removes none", hint=hint)


def _tell(found: "Leftovers", *, settings: bool) -> None:
    note("This will be removed:", needed=True)
    for image in found.images:
        note(f"  image {image}", needed=True)
    for secret in found.secrets:
        note(f"  stored login {secret}", needed=True)
    if found.links:
        note(
            f"  {found.links[0]}" + (f" and {len(found.links) - 1} other links" if found.links[1:] else ""),
            needed=True,
        )
    for folder in (*found.folders, *(found.settings if settings else ())):
        note(f"  {folder}", needed=True)
