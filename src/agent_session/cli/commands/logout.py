"""`agent-session logout`: forget what `login` stored."""

from agent_session.agents.login import login_secret
from agent_session.cli.commands.login import AgentName, tell_running
from agent_session.cli.context import Invocation, note
from agent_session.config import DEFAULT_AGENT


def logout(invocation: Invocation, agent: AgentName = None) -> None:
    """Forget an agent's stored login; sessions are without it from their next start on. Nothing else is touched."""
    from agent_session.agents.catalog import choose

    chosen = choose(invocation.agents(), agent or invocation.config.agent or DEFAULT_AGENT)
    secret = login_secret(chosen.name)
    with invocation.engine() as engine:
        if engine.secret_id(secret) is None:
            note(f"there is no stored login of {chosen.title}")
            return
        engine.remove_secret(secret)
        note(f"{chosen.title}'s stored login is forgotten")
        tell_running(engine, chosen)
