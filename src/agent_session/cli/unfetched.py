"""The lines about work in a session's clones that no repository of this machine has yet."""

from typing import TYPE_CHECKING

from agent_session.cli.context import note, quiet
from agent_session.errors import Hint

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session


def tell(engine: "Engine", session: "Session") -> None:
    """Tell what was not fetched of a session that has been stopped, where something was not."""
    if quiet() or not session.clones:
        return
    from agent_session.sessions import unsaved_work

    if lines := unsaved_work.unfetched(engine, session):
        for line in lines:
            note(f"only in '{session.name}': {line}")
        into = [] if all(one.directory for one in session.clones) else ["--into", "DIRECTORY"]
        fetch = Hint("fetch", [session.name, "--uncommitted", *into])
        note(f"to bring it here: {fetch.command()}")
