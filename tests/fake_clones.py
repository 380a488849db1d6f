"""The clone program run by this machine's Python on directories, in place of a container and its volumes."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from agent_session.engine.command import ExecResult, OneOff


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """One-off containers of an engine in memory: each workspace volume is a directory below `folder`."""

    folder: Path

    def workspace(self, session: str) -> Path:
        """The directory that is a session's workspace."""
        return self.folder / f"agent_{session}_workspace"

    def __call__(self, one_off: OneOff, stdin: bytes) -> ExecResult:
        """Run the clone program, with the container's paths replaced by this machine's."""
        if one_off.command[:3] != ("/usr/bin/python3", "-I", "-c"):
            return ExecResult(
                exit_code=0, stdout=b'{"repositories": [], "files": [], "more_files": 0, "conversations": 0}'
            )
        size = int(stdin[:12])
        order, rest = json.loads(stdin[12 : 12 + size]), stdin[12 + size :]
        workspace = self.folder / next(mount.source for mount in one_off.mounts if mount.kind == "volume")
        workspace.mkdir(parents=True, exist_ok=True)
        borrowed = {str(mount.target): mount.source for mount in one_off.mounts if mount.kind == "bind"}
        order["target"] = borrowed.get(order["target"], str(workspace / Path(order["target"]).name))
        order["borrowed"] = borrowed.get(order.get("borrowed", ""), "")
        said = json.dumps(order).encode()
        done = subprocess.run(
            [sys.executable, "-I", "-c", one_off.command[3]],
            input=b"%012d" % len(said) + said + rest,
            capture_output=True,
            check=False,
        )
        return ExecResult(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)
