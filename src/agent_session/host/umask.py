"""The umask of this process: what new files are not allowed."""

import os
from pathlib import Path


def umask() -> int:
    """Read the mask; where the kernel does not tell it, it is another one for a moment."""
    try:
        status = Path("/proc/self/status").read_text(errors="replace")
        return int(next(line for line in status.splitlines() if line.startswith("Umask:")).split()[1], 8)
    except (OSError, StopIteration):
        mask = os.umask(0o077)
        os.umask(mask)
        return mask
