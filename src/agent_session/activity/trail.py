"""The trail of a session: how it was made, its events, and the tools that its agents used, by time."""

from agent_session.activity import event_log, usage
from agent_session.activity.event_log import Event
from agent_session.engine.protocol import Engine
from agent_session.sessions.options import DEFAULTS, flags
from agent_session.sessions.session import Session


def read(engine: Engine, session: Session) -> list[Event]:
    """All that is recorded, the oldest first. Raises EngineRefused where it cannot be read."""
    used = usage.read(engine, session)
    tools = (Event(time=one.time, kind="tool", detail={"name": one.name}) for one in used.tools)
    return sorted([_made(session), *event_log.read(engine, session), *tools], key=lambda one: one.time)


def _made(session: Session) -> Event:
    """How the session was made, as its container tells now: with which projects, options and logins."""
    chosen = [
        word
        for name, default in vars(DEFAULTS).items()
        if (value := getattr(session.options, name)) != default
        for word in flags(name, value)
    ]
    return Event(
        time=session.created,
        kind="made",
        detail={
            "agent": session.agent,
            "image": session.image,
            "projects": [str(one) for one in session.projects] + [one.source for one in session.clones],
            "options": chosen,
            "stored_login": session.login is not None,
        },
    )


def sentence(event: Event) -> str:
    """What happened in words, as one line for a person."""
    if event.kind == "tool":
        return f"agent used {event.detail['name']}"
    if event.kind == "made":
        options = " ".join(event.detail["options"])
        projects = ", ".join(event.detail["projects"]) or "no project"
        return f"session made: {event.detail['agent']} in {projects}{' with ' if options else ''}{options}"
    return event_log.sentence(event)
