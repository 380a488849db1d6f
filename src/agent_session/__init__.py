"""agent-session: a persistent, rootless home for AI coding agents.

The map: `cli` asks, `sessions` acts, `plan` decides what a container looks like, `images` builds what it runs,
`agents` reads what varies, `engine` is the narrow door to Podman and `podman_engine` the only one behind it.
"""

__version__ = "0.1.0"
