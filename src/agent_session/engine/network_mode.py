"""How much of the network a session has."""

OPEN, NONE = MODES = ("open", "none")


def read(text: str) -> str:
    """Read a mode. Raises ValueError with one line for anything else."""
    mode = text.strip().lower()
    if mode not in MODES:
        raise ValueError(f"{text!r} is not a way to have the network: use {' or '.join(MODES)}")
    return mode
