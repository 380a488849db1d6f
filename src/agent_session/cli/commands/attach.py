"""`agent-session attach`: put a running session on this terminal."""

from agent_session.cli import terminal
from agent_session.cli.context import Invocation, on_terminal
from agent_session.cli.options import Clipboard, DetachKey, NameOrDefault
from agent_session.errors import Hint, UsageError
from agent_session.sessions.errors import SessionStopped


def attach(
    invocation: Invocation,
    name: NameOrDefault = None,
    detach_key: DetachKey = None,
    clipboard: Clipboard = None,
) -> None:
    """Attach to a running session; Ctrl q, or closing the window, detaches. Never makes or starts one."""
    config = invocation.config.with_flags(detach_key=detach_key, clipboard=clipboard)
    with invocation.engine(one_question=True) as engine:
        session = invocation.session(engine, name)
        if not session.running:
            raise SessionStopped(session.name)
        if not on_terminal():
            raise UsageError(
                "attach needs a terminal",
                hint=[Hint("screen", [session.name]), Hint("exec", [session.name], shell="-- COMMAND")],
            )
        terminal.enter(invocation, engine, session, config)
