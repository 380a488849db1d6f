"""`agent-session uninstall`: remove what agent-session has put on this machine, and say what stays."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from agent_session.cli import prompts
from agent_session.cli.invocation import note, of, on_terminal
from agent_session.cli.rm import Force
from agent_session.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from agent_session.leftovers import Leftovers
    from agent_session.session import Session

Settings = Annotated[bool, typer.Option("--settings", help="Your settings and your own agents' folders, too.")]


def uninstall(context: typer.Context, force: Force = None, settings: Settings = False) -> None:
    """Remove images, stored logins, caches and logs, and print what stays, each with the command that removes it.

    Not while there are sessions: what is in them is yours, and rm looks after it. Projects are never touched.
    """
    from agent_session import leftovers, sessions

    invocation = of(context)
    config = invocation.config.with_flags(force=force)
    with invocation.engine() as engine:
        there = sessions.list_sessions(engine)
        _check_none(there, leftovers.remains(engine, {session.name for session in there}))
        found = leftovers.find(engine, invocation.agents())
        _tell(found, settings=settings)
        if not config.force:
            if not on_terminal():
                raise UsageError(
                    "uninstall asks first, and there is no terminal to ask on", hint="agent-session uninstall --force"
                )
            if not prompts.confirm("Remove all that?", default=False):
                raise ConflictError("nothing removed")
        leftovers.remove(engine, found)
        stays = leftovers.remaining(engine, found, settings=not settings)
    leftovers.remove_folders([*found.folders, *(found.settings if settings else ())])
    for one in stays:
        print(f"{one.command}  # stays: {one.what}")


def _check_none(there: "list[Session]", remains: "dict[str, list[str]]") -> None:
    """ConflictError where there are sessions, or volumes of such whose containers somebody removed: there may be work in both."""
    names = [session.name for session in there]
    words = [f"there are sessions: {', '.join(names)}"] if names else []
    volumes = [volume for found in remains.values() for volume in found]
    words += [f"there are volumes of sessions whose containers are gone: {', '.join(volumes)}"] if volumes else []
    if words:
        stop = "agent-session stop --all && " if any(session.running for session in there) else ""
        hint = f"{stop}agent-session rm {shlex.join([*names, *remains])}"
        raise ConflictError(f"{'; '.join(words)}; uninstall removes none", hint=hint)


def _tell(found: "Leftovers", *, settings: bool) -> None:
    note("this will be removed:", needed=True)
    for image in found.images:
        note(f"  image {image}", needed=True)
    for secret in found.secrets:
        note(f"  stored login {secret}", needed=True)
    for folder in (*found.folders, *(found.settings if settings else ())):
        note(f"  {folder}", needed=True)
