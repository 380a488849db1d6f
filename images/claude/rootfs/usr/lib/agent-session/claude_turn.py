"""One turn as it goes on, in the events of docs/agents.md, from Claude's transcript."""

import time
from collections.abc import Iterator
from typing import Any

import claude_session
import claude_state
from agent_orders import fail
from claude_prompt import Transcript

COUNTED = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
LOOK_SECONDS = 0.1
# The transcript's last lines come a moment after the session file.
COMPLETE_SECONDS = 2.0


class Turn:
    """What has been said since the prompt."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.answer: list[str] = []
        self.tools: list[dict] = []
        self.usage: dict[str, dict] = {}
        self.duration: float | None = None
        self.over = False

    def events(self, record: dict) -> Iterator[dict]:
        """What a record says."""
        role = claude_session.kind(record)
        self.over = claude_session.is_over(record, role) if role else self.over
        if role == "end" and isinstance(record.get("durationMs"), (int, float)):
            self.duration = record["durationMs"] / 1000
        if role != "answer":  # an error is told by the state
            return
        message = record.get("message")
        if isinstance(message, dict) and isinstance(message.get("usage"), dict):
            self.usage[str(message.get("id"))] = message["usage"]
        for block in claude_session.blocks(record):
            if block.get("type") == "text" and block.get("text"):
                self.answer.append(str(block["text"]))
                yield {"type": "text", "text": self.answer[-1]}
            elif block.get("type") == "tool_use":
                self.answer.clear()
                self.tools.append({"name": str(block.get("name", "")), "input": block.get("input")})
                yield {"type": "tool", **self.tools[-1]}

    def end(self, state: dict) -> dict:
        """The last event."""
        usage = {name: sum(_number(one.get(name)) for one in self.usage.values()) for name in COUNTED}
        duration = time.monotonic() - self.begun if self.duration is None else self.duration
        return {
            "type": "end", "text": "\n\n".join(self.answer), "tools": self.tools, "usage": usage,
            "duration_s": round(duration, 3), "state": state,
        }  # fmt: skip


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def follow(
    transcript: Transcript, first: list[dict], *, begun: float, through_questions: bool, seconds: float | None
) -> Iterator[dict]:
    """The events of the turn that has just begun, until it is over. Ends the program with `timeout` where that takes longer."""
    turn, records = Turn(begun), first
    asked, quiet = "", 0.0
    while True:
        for record in records:
            yield from turn.events(record)
        state = claude_state.look().state
        records = transcript.news()
        done = (
            state["value"] in {"idle", "failed", "exited", "unknown"}
            or state.get("question", {}).get("kind") == "login"
        )
        if (
            not records
            and state["value"] == "waiting"
            and not done
            and str(state.get("since")) + state["reason"] != asked
        ):
            asked = str(state.get("since")) + state["reason"]
            yield {"type": "waiting", "question": state["question"]}
            if not through_questions:
                yield turn.end(state)
                return
        quiet = 0.0 if records or not done else quiet or time.monotonic()
        if quiet and (turn.over or state["value"] == "exited" or time.monotonic() - quiet > COMPLETE_SECONDS):
            yield turn.end(state)
            return
        if seconds is not None and time.monotonic() - turn.begun > seconds:
            fail("timeout", f"the turn is not over after {seconds:g} seconds; it goes on", state=state)
        if not records:
            time.sleep(LOOK_SECONDS)
