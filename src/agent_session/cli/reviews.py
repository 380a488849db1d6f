"""The line about files that run by themselves, wherever a session is left, stopped or removed."""

from typing import TYPE_CHECKING

from agent_session.cli.context import note, quiet

if TYPE_CHECKING:
    from agent_session.sessions.session import Session
    from agent_session.sessions.steps import Step


def tell(session: "Session", *, remark: str = "") -> None:
    """Tell in one line what differs in a session's projects, where something does."""
    if quiet():
        return
    from agent_session.sessions import review

    projects = review.host_directories(session)
    if line := review.summary(session.name, projects, review.look(session), remark=remark):
        note(line)


def tell_after(step: "Step", session: "Session") -> None:
    """Tell it when a session has been started again."""
    from agent_session.sessions.steps import Replace, Resume

    if isinstance(step, Replace | Resume):
        tell(session)


def tell_last_known(name: str) -> None:
    """Tell the same of a session that was just left, without a question to Podman."""
    from agent_session.sessions import review

    projects, found = review.last_known(name)
    if line := review.summary(name, projects, found):
        note(line)
