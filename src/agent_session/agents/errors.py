"""The expected failure of choosing an agent."""

from collections.abc import Iterable

from agent_session.errors import Hint, NotFoundError


class AgentNotFound(NotFoundError):
    """No agent of that name."""

    code = "agent-not-found"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"agent '{name}' not found; there are: {', '.join(sorted(known))}", hint=Hint("agents")
        )
