"""`agent-session interrupt`: end an agent's turn."""

from agent_session.cli.context import Invocation
from agent_session.cli.options import NameOrDefault


def interrupt(invocation: Invocation, name: NameOrDefault = None) -> None:
    """End what an agent is doing, as Esc in its terminal does; what it asks is refused. The session runs on.

    Its input is empty afterwards, so that `prompt` works. An agent that does nothing is fine.
    """
    from agent_session.activity import conversation, terminal

    with invocation.engine(one_question=True) as engine:
        name = invocation.name(engine, name, verb="interrupt")
        conversation.abort(engine, terminal.running(engine, name), clear=True)
