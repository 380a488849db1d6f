"""Where the podman command is."""

import os
import sys

from agent_session.engine.podman import troubleshooting


def podman() -> str:
    """The path of the podman command. Raises EngineUnavailable where there is none."""
    for folder in os.get_exec_path():  # shutil, which has a function for it, takes 2 ms to be imported
        file = f"{folder or '.'}/podman"
        if os.access(file, os.X_OK) and not os.path.isdir(file):  # noqa: PTH112 (of a text)
            return file
    raise troubleshooting.missing(sys.platform)
