"""What the stub's executables share: its state, and a way to tell it something."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agent_state
from agent_orders import fail

RUN = Path("/run/agent-session/stub")


def state() -> dict[str, Any]:
    """What the stub says while it lives, and what its pane says otherwise."""
    pane = agent_state.pane()
    if pane is not None and pane.status is not None:
        return {"value": "exited", "reason": f"it ended with status {pane.status}", "source": "pane"}
    try:
        told = json.loads((RUN / "state").read_text())
    except (OSError, ValueError):
        told = {"pid": 0}
    if (
        pane is None
        or not agent_state.started(told["pid"])
        or not agent_state.is_below(told["pid"], pane.pid)
    ):
        return {"value": "starting", "source": "pane"}
    found: dict[str, Any] = told["state"]
    return found


def tell(verb: str, text: str = "", *, timeout: float | None = None, **more: Any) -> Iterator[dict[str, Any]]:
    """An order, and what the stub says to it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(RUN / "socket"))
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.write(json.dumps({"verb": verb, "text": text, **more}) + "\n")
                stream.flush()
                while line := stream.readline():
                    yield json.loads(line)
        except TimeoutError:
            fail("timeout", "the turn goes on")
        except OSError:
            doing = state()
            if "since" not in doing:
                doing["since"] = agent_state.utc(0)
            fail("refused", f"the stub is {doing['value']}", state=doing)
