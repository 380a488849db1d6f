"""An agent in memory that answers as a test scripts it, and a machine on which sessions of it can start."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from agent_session import inside
from agent_session.engine.command import ExecResult

IDLE = {"value": "idle", "since": "2026-11-21T08:00:00.123Z", "reason": "", "source": "test"}
WORKING = IDLE | {"value": "working"}
QUESTION = {"kind": "permission", "text": "Bash: make", "choices": ["once", "always", "reject"], "id": "q1"}


def end(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "end", "text": text, "tools": [], "usage": {"input_tokens": 3}, "state": IDLE, **more}


def said(*lines: object, code: int = 0) -> ExecResult:
    return ExecResult(exit_code=code, stdout=b"".join(json.dumps(line).encode() + b"\n" for line in lines))


class Agent:
    """What runs in the containers: it answers each prompt with it, once a test lets it."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.models: list[str] = []
        """Which model each prompt was for; "" for its own."""
        self.known = [{"id": "a/b", "name": "B", "current": True}]
        """Its models."""
        self.tools: list[dict[str, Any]] = []
        """What it has used for its answer in the record."""
        self.others: list[list[str]] = []
        self.seeds: list[list[str]] = []
        """What sessions were sent at their starts."""
        self.files: dict[str, str] = {}
        """What is in the agent's home."""
        self.go_on = threading.Event()
        self.go_on.set()
        self.turn: Callable[[str], ExecResult] = lambda text: said(
            {"type": "turn", "turn": "1"},
            {"type": "text", "text": f"You said {text}"},
            end(f"You said {text}"),
        )

    def __call__(self, _name: str, command: Sequence[str], stdin: bytes) -> ExecResult:
        if (
            command[0] == inside.PYTHON and len(command) == 6
        ):  # the program of server/files.py, on this machine
            done = subprocess.run(
                [sys.executable, *command[1:]], input=stdin, capture_output=True, check=False
            )
            return ExecResult(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)
        if command[0] == inside.SESSION_SEED:
            self.seeds.append([*command, stdin.decode("utf-8", "replace")])
        if command[0] == "/usr/bin/head" and (
            found := self.files.get(command[-1].removeprefix(f"{inside.HOME}/"))
        ):
            return ExecResult(exit_code=0, stdout=found.encode())
        if command[0] != inside.AGENT_COMMAND:
            return ExecResult(exit_code=0)
        match command[1]:
            case "prompt":
                self.prompts.append(stdin.decode())
                self.models.append(command[command.index("--model") + 1] if "--model" in command else "")
                assert self.go_on.wait(20)
                return self.turn(stdin.decode())
            case "history":
                entries = [{"role": "user", "text": "hi", "time": "2026-11-21T08:00:00.000Z"}]
                answer = {"role": "assistant", "text": "hello", "tools": self.tools}
                return said({"entries": [*entries, answer]})
            case "models":
                return said({"models": self.known})
            case "state":
                return said({**IDLE, "value": "waiting", "question": QUESTION})
            case _:
                self.others.append([*command[1:], stdin.decode()])
                return said({})


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
