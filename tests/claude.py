"""A session with the real Claude Code, logged in, on a scripted model;
and the executables that can be asked of it (docs/agents.md).
"""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.account import Account
from tests.models.model import URL, Model
from tests.waiting import COMMAND_SECONDS, until

KEY = "sk-ant-api03-" + "k" * 60
ENVIRONMENT = {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_API_KEY": KEY}
PANE = ("--pane-id", "terminal_0")


@dataclass(frozen=True, kw_only=True)
class Claude:
    """A session named `default`, and its model."""

    account: Account
    model: Model
    project: Path

    def order(self, verb: str, *arguments: str, stdin: str = "") -> tuple[int, list[dict[str, Any]]]:
        """How an executable ended, and what it said."""
        command = [
            "podman",
            "exec",
            "-i",
            "agent_default",
            "/usr/lib/agent-session/agent-command",
            verb,
            *arguments,
        ]
        done = subprocess.run(
            command,
            env=self.account.environment,
            cwd=self.account.home,
            input=stdin.encode(),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert not done.stderr, done.stderr.decode()
        return done.returncode, [json.loads(line) for line in done.stdout.decode().splitlines()]

    def ask(self, text: str, *arguments: str) -> dict[str, Any]:
        """A prompt to its end: the last event."""
        code, events = self.order("prompt", "--follow", *arguments, stdin=text)
        assert code == 0, events
        assert (events[0]["type"], events[-1]["type"]) == ("turn", "end")
        return events[-1]

    def begin(self, text: str) -> None:
        """A prompt that is not followed."""
        code, said = self.order("prompt", stdin=text)
        assert code == 0, said

    def answer(self, text: str) -> None:
        said = self.order("answer", stdin=text)
        assert said == (0, [{}]), f"{said}\n{self.account.screen()}"

    def refused(self, verb: str, *arguments: str, stdin: str = "") -> dict[str, Any]:
        """The error of an order that must fail."""
        code, said = self.order(verb, *arguments, stdin=stdin)
        assert code == 1, said
        error: dict[str, Any] = said[-1]["error"]
        return error

    def state(self) -> dict[str, Any]:
        """What is kept for the host."""
        return self.account.state()

    def seen(self, value: str, *, reason: str = "") -> dict[str, Any]:
        """The state, as soon as it is this."""

        def there() -> dict[str, Any] | None:
            state = self.state()
            return state if state["value"] == value and reason in state["reason"] else None

        found = until(
            there,
            f"the state {value} {reason}",
            told=lambda: f"{self.state()}\n{self.account.screen()}",
        )
        assert found
        return found

    def press(self, *keys: str) -> None:
        self.account.inside("default", "zellij", "--session", "default", "action", "send-keys", *PANE, *keys)

    def answer_with_key(self, key: str) -> None:
        """A key for the dialog that is open; Claude takes none in the moment in which it asks."""
        while self.state()["value"] == "waiting":
            self.press(key)
            deadline = time.monotonic() + 2
            while self.state()["value"] == "waiting" and time.monotonic() < deadline:
                time.sleep(0.05)
        self.press("Ctrl u")  # one press more than it took is text in the input

    def type(self, text: str) -> None:
        """Type, without Enter."""
        self.account.inside(
            "default", "zellij", "--session", "default", "action", "write-chars", *PANE, "--", text
        )

    def prompts(self) -> list[str]:
        """The last user's words of each request of the conversation, as the model was given them."""
        return [
            said[-1] for request in self.model.turns() if (said := users_words(request["body"]["messages"]))
        ]


def users_words(messages: list[dict[str, Any]]) -> list[str]:
    """What the user said in a request, without what Claude adds."""
    texts = []
    for message in messages:
        if message["role"] == "user":
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            texts += [part["text"] for part in parts if part["type"] == "text"]
    return [text for text in texts if not text.startswith("<system-reminder>")]


def start(account: Account, *arguments: str, **environment: str) -> Claude:
    """The session, ready for a prompt."""
    project = account.project()
    account.ok("start", "-d", "-a", "claude", *arguments, cwd=project, env=ENVIRONMENT | environment)
    claude = Claude(account=account, model=Model(account).begin(), project=project)
    claude.seen("idle")
    return claude
