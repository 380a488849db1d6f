"""A scripted model server inside a session's container, and what a test does with it.

A rootless container does not reach the host's loopback (slirp4netns --disable-host-loopback),
so the server runs beside the agent.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.account import Account
from tests.waiting import COMMAND_SECONDS, until, until_shown

SERVER = Path(__file__).with_name("server.py")
PORT = 8399
URL = f"http://127.0.0.1:{PORT}"


class Model:
    """The model of one session. It ends with the container: `begin` it again after each start."""

    def __init__(self, account: Account, session: str = "default") -> None:
        self._account = account
        self._session = session

    def begin(self, *replies: Mapping[str, Any]) -> "Model":
        """Start the server, with a script; see tests/models/server.py for what a reply can be."""
        self._in(
            "sh",
            "-c",
            f"cat >/tmp/model.py; exec setsid python3 /tmp/model.py {PORT} >/tmp/model.log 2>&1 <&- &",
            stdin=SERVER.read_text(),
        )
        until(lambda: self._curl(f"{URL}/requests"), "the scripted model server")
        return self.script(*replies)

    def script(self, *replies: Mapping[str, Any]) -> "Model":
        """Replace the script, and forget what was asked."""
        assert self._curl("-X", "PUT", "--data-binary", "@-", f"{URL}/script", stdin=json.dumps(replies))
        return self

    def requests(self) -> list[dict[str, Any]]:
        """All that was asked since the script was set: method, path, headers (lower case) and body of
        each.
        """
        found: list[dict[str, Any]] = json.loads(self._curl(f"{URL}/requests"))
        return found

    def turns(self) -> list[dict[str, Any]]:
        """Of those, the conversation's own: they offer tools."""
        return [request for request in self.requests() if (request["body"] or {}).get("tools")]

    def shown(self, *texts: str) -> str:
        """The first screen of the agent's pane with all of the texts on it."""
        return until_shown(
            lambda: self._account.screen(self._session),
            lambda screen: all(text in screen for text in texts),
            " and ".join(map(repr, texts)),
        )

    def ask(self, prompt: str, answer: str) -> str:
        """Type a prompt; the screen with the answer."""
        self._account.tell(self._session, prompt)
        return self.shown(answer)

    def _curl(self, *arguments: str, stdin: str = "") -> str:
        return self._in("curl", "-sf", "--noproxy", "*", *arguments, stdin=stdin)

    def _in(self, *command: str, stdin: str) -> str:
        whole = ["podman", "exec", "--interactive", f"agent_{self._session}", *command]
        environment, home = self._account.environment, self._account.home
        done = subprocess.run(
            whole,
            env=environment,
            cwd=home,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return done.stdout
