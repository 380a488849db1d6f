"""The line about files that run by themselves, wherever a session is left, stopped or removed."""

from typing import TYPE_CHECKING

from agent_session.cli.context import note, quiet

if TYPE_CHECKING:
    from agent_session.sessions.session import Session


def tell(session: "Session", *, remark: str = "") -> None:
    """Tell in one line what differs in a session's projects, where something does."""
    if quiet():
        return
    from agent_session.sessions import review

    if line := review.summary(session, review.look(session), remark=remark):
        note(line)
