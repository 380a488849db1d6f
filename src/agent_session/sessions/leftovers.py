"""What killed commands and ended sessions have left is finished, undone or removed."""

from collections.abc import Sequence

from agent_session.engine.protocol import Engine
from agent_session.sessions.labels import LABEL_NAME, LABEL_RUNS, read
from agent_session.sessions.names import container_name, next_name
from agent_session.sessions.session import Session
from agent_session.workspace import placeholders
from agent_session.workspace.placeholders import Placeholder


def settle(engine: Engine, name: str) -> bool:
    """Finish or undo a `lifecycle.recreate` that was killed.

    With the old container there, the new one is unfinished and removed, else it becomes the session. Returns
    whether that was to end in a session that runs: the old container may have been stopped for it.
    """
    unfinished = engine.container(next_name(name))
    if unfinished is None or read(unfinished) is None:
        return False
    if engine.container(container_name(name)):
        engine.remove(unfinished.name)
    else:
        engine.rename(unfinished.name, container_name(name))
    return LABEL_RUNS in unfinished.labels


def tidy(engine: Engine, over: Sequence[Placeholder] = ()) -> list[Session]:
    """Remove placeholders of sessions that no longer run; returns all sessions, in no order.

    `over` are those that the caller knows already: if one is still there, one look is enough.
    """

    def look() -> tuple[list[Session], list[Placeholder]]:
        found = [session for container in engine.containers(LABEL_NAME) if (session := read(container))]
        needed = {held.path for session in found if session.running for held in session.placeholders}
        ended = [held for session in found if not session.running for held in session.placeholders]
        return found, [held for held in (*ended, *over) if held.path not in needed]

    if not placeholders.any_left(over):
        found, left = look()
        if not placeholders.any_left(left):
            return found
    with placeholders.held():  # whatever is about to start has started by then
        found, left = look()
        placeholders.clear(
            left, [held for session in found if session.running for held in session.placeholders]
        )
    return found
