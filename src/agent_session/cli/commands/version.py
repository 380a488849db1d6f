"""`agent-session version`: the same as --version."""

from agent_session import __version__


def version() -> None:
    """Print the version."""
    print(f"agent-session {__version__}")
