"""`agent-session disable`: a session is started by hand only."""

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name


def disable(invocation: Invocation, name: Name) -> None:
    """Have a session not started by itself any more. A session that runs goes on."""
    from agent_session.host import user_unit
    from agent_session.sessions.names import check_name

    if not user_unit.disable(check_name(name), invocation.environment):
        note(f"session '{name}' was not enabled")
