"""Agents under the contract of docs/agents.md: how each is started,
and how a test says what its next turn will be.

A new agent needs a line in SUBJECTS; where its turns come from a scripted model (tests/models), that is all.
"""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tests.account import Account
from tests.models.model import URL, Model
from tests.storage import REPOSITORY, STUB
from tests.waiting import COMMAND_SECONDS, until

ORDER = "/usr/lib/agent-session/agent-command"
PROMPT = Path("rootfs", "usr", "lib", "agent-session", "agent", "prompt")
FOLDERS = {
    folder.name: folder
    for folder in [STUB, *sorted((REPOSITORY / "images").iterdir())]
    if (folder / PROMPT).exists()
}
"""Of the agents that take prompts."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A prompt, and what the agent will answer to it."""

    prompt: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an order said, an object a line, and how it ended."""

    lines: list[dict[str, Any]]
    status: int

    @property
    def only(self) -> dict[str, Any]:
        """The one object of an order that did what it should."""
        assert (self.status, len(self.lines)) == (0, 1), self
        return self.lines[0]

    @property
    def error(self) -> dict[str, Any]:
        """The error, in the contract's shape."""
        assert self.status == 1, self
        error = self.lines[-1]["error"]
        assert error["kind"] in {"refused", "usage", "server", "timeout"}
        assert isinstance(error["message"], str)
        assert error["message"]
        found: dict[str, Any] = error
        return found


@dataclass(kw_only=True)
class Listener:
    """An order that is running; what it has said so far, and at last what it was."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    told: Told | None = None

    def heard(self, kind: str) -> bool:
        """Whether it has said such an event."""
        return any(line.get("type") == kind for line in self.lines)

    def end(self) -> Told:
        """What it was, when it has ended."""
        until(lambda: self.told is not None, "end of the order", told=lambda: self.lines)
        assert self.told
        return self.told


class Subject:
    """An agent in the session "default" of an account."""

    environment: ClassVar[Mapping[str, str]] = {}
    clearing = ("Ctrl u",)
    """Keys that empty its input."""

    def __init__(self, account: Account, agent: str) -> None:
        self.account = account
        self.prepare()
        account.ok("start", "-d", "-a", agent, cwd=account.project(README="hello"), env=self.environment)

    def prepare(self) -> None:
        """What its user has at home, before it starts."""

    def say(self, text: str) -> Turn:
        """Its next turn is an answer."""
        raise NotImplementedError

    def use(self, *commands: str) -> Turn:
        """Its next turn asks for a permission to run a command, and then for the next one."""
        raise NotImplementedError

    def use_at_once(self, *commands: str) -> Turn:
        """Its next turn wants to run all of these at the same time."""
        return self.use(*commands)

    def work(self, seconds: int) -> Turn:
        """Its next turn takes so long."""
        raise NotImplementedError

    def fail(self, words: str) -> Turn:
        """Its next turn fails, for a reason that has these words in it."""
        raise NotImplementedError

    def say_much(self, size: int) -> Turn:
        """Its next turn is an answer of so many x."""
        raise NotImplementedError

    def quit(self) -> None:
        """End the agent as a person would."""
        raise NotImplementedError

    def order(self, *words: str, stdin: str = "") -> Told:
        """Run one, to its end."""
        with self.listening(*words, stdin=stdin) as listener:
            return listener.end()

    @contextmanager
    def listening(self, *words: str, stdin: str = "") -> Iterator[Listener]:
        """Run one, beside the test; one that hangs is ended in the container too."""
        command = [
            "podman",
            "--log-level=error",
            "exec",
            "--interactive",
            "agent_default",
            "timeout",
            f"{COMMAND_SECONDS:g}",
            ORDER,
            *words,
        ]
        listener = Listener()
        with subprocess.Popen(
            command,
            env=self.account.environment,
            cwd=self.account.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:

            def listen() -> None:
                assert process.stdout is not None
                for line in process.stdout:
                    listener.lines.append(json.loads(line))
                listener.told = Told(lines=listener.lines, status=process.wait())

            assert process.stdin is not None
            threading.Thread(target=listen, daemon=True).start()
            process.stdin.write(stdin.encode())
            process.stdin.close()
            try:
                yield listener
            finally:
                process.kill()

    def state(self) -> dict[str, Any]:
        """Its state, as it says."""
        return self.order("state").only

    def becomes(self, *values: str) -> dict[str, Any]:
        """Its state when it is one of these."""
        seen: list[dict[str, Any]] = []

        def there() -> bool:
            seen.append(self.state())
            return seen[-1]["value"] in values

        until(there, f"state {values}", told=lambda: seen[-1])
        return seen[-1]

    def type(self, *words: str, stdin: str = "") -> None:
        """Keys, and then a text, at its terminal."""
        command = [
            "podman",
            "exec",
            "--interactive",
            "agent_default",
            "/usr/lib/agent-session/type-text",
            *words,
        ]
        subprocess.run(
            command, env=self.account.environment, cwd=self.account.home, input=stdin.encode(), check=True
        )


class Stub(Subject):
    """Its words say what it does."""

    def say(self, text: str) -> Turn:
        return Turn(prompt=text, answer=f"stub heard: {text}")

    def use(self, *commands: str) -> Turn:
        return Turn(prompt="; ".join(f"ask {one}" for one in commands), answer=f"did {commands[-1]}")

    def work(self, seconds: int) -> Turn:
        return Turn(prompt=f"slow {seconds}", answer=".")

    def fail(self, words: str) -> Turn:
        return Turn(prompt=f"fail {words}", answer="")

    def say_much(self, size: int) -> Turn:
        return Turn(prompt=f"big {size}", answer="x" * size)

    def quit(self) -> None:
        self.type("--enter", stdin="quit")


class Scripted(Subject):
    """Its model, in its container, says what a test tells it to."""

    tool = "Bash"
    count = 0

    def __init__(self, account: Account, agent: str) -> None:
        super().__init__(account, agent)
        self.model = Model(account).begin()

    def _next(self, *replies: Mapping[str, Any], answer: str) -> Turn:
        self.model.script(*replies)
        self.count += 1
        return Turn(prompt=f"turn number {self.count}", answer=answer)

    def say(self, text: str) -> Turn:
        turn = self._next({"text": f"I say: {text[:200]}"}, answer=f"I say: {text[:200]}")
        return Turn(prompt=text, answer=turn.answer)

    def use(self, *commands: str) -> Turn:
        return self._next(*map(self._call, commands), {"text": "It is done"}, answer="It is done")

    def use_at_once(self, *commands: str) -> Turn:
        first, *others = map(self._call, commands)
        return self._next({**first, "also": others}, {"text": "It is done"}, answer="It is done")

    def _call(self, command: str) -> dict[str, Any]:
        return {"tool": self.tool, "input": {"command": command, "description": "as the test wants"}}

    def work(self, seconds: int) -> Turn:
        return self._next({"text": "Late", "delay": seconds}, answer="Late")

    def fail(self, words: str) -> Turn:
        return self._next({"status": 400, "message": words}, answer="")

    def say_much(self, size: int) -> Turn:
        return self._next({"big": size}, answer="x" * size)

    def quit(self) -> None:
        self.type("--enter", stdin="/exit")


class Claude(Scripted):
    environment: ClassVar[Mapping[str, str]] = {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": "sk-ant-api03-" + "k" * 60,
    }

    def fail(self, words: str) -> Turn:
        """After some conversations Claude asks again in another way where the answer was 400."""
        return self._next({"status": 529, "message": words}, answer="")


class Opencode(Scripted):
    tool = "bash"

    def prepare(self) -> None:
        """A provider that is the scripted model, and a login."""
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Scripted",
            "options": {"baseURL": f"{URL}/v1", "apiKey": "sk-opencode"},
            "models": {"m": {"name": "Model One"}},
        }
        config = {
            "model": "scripted/m",
            "provider": {"scripted": provider},
            "permission": {"edit": "ask", "bash": "ask"},
        }
        folder = self.account.home / ".config" / "opencode"
        folder.mkdir()
        (folder / "opencode.json").write_text(json.dumps(config))


SUBJECTS: dict[str, type[Subject]] = {"stub": Stub, "claude": Claude, "opencode": Opencode}
