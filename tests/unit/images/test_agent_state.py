"""What the programs of the images share."""

import json
import subprocess
import sys

from tests.storage import REPOSITORY

FOLDER = REPOSITORY / "images/base/rootfs/usr/lib/agent-session"
VALUE = {"method": 0, "inputs": {"a": "b\n"}, "list": ["x", 1], "none": {}}


def test_their_json_has_numbers_as_numbers() -> None:
    program = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import agent_state as state; "
    done = subprocess.run(
        [sys.executable, "-B", "-c", f"{program}print(state.dumps({VALUE!r}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == VALUE
