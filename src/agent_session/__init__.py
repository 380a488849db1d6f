"""agent-session runs AI coding agents in persistent, rootless containers.

`cli` reads command lines, `sessions` makes and ends sessions, `images` builds what they run, `agents` reads
what varies between agents, `workspace` protects projects, and `engine` is the only way to Podman.
"""

__version__ = "0.1.0"
