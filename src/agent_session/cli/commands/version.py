"""`agent-session version`: the same as --version."""

from agent_session import __version__
from agent_session.cli.context import Invocation


def version(_invocation: Invocation) -> None:
    """Print the version."""
    print(f"agent-session {__version__}")
