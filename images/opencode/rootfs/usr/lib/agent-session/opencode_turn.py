"""A prompt to OpenCode and what comes of it, from the server's event stream and record."""

import time
from collections.abc import Iterator
from typing import Any

import opencode_api as api
import opencode_state
from agent_orders import fail, say

ACCEPTED_SECONDS = 20  # a megabyte is stored within one
RECORDED_SECONDS = 5
LONGEST_EVENT = 20_000_000
"""Bytes; the end of a text brings all of it once more."""


class Turn:
    """One prompt in a conversation, which is the turn's as soon as it is in the record."""

    def __init__(self, text: str, *, end: float, model: str = "") -> None:
        self.text = text
        self.model = model and chosen(model)
        self.end = end
        self.id = ""
        self.events = api.Events(longest=LONGEST_EVENT)
        found = api.conversation()
        self.conversation: str = found["id"] if found else api.call("create", body={})["id"]
        self.agent: str = (found or {}).get("agent") or ""
        self.answers: set[str] = set()  # messages of the assistant to this prompt
        self.told: dict[str, int] = {}  # part: characters of it that were told
        self.busy = False
        self.early: list[dict[str, Any]] = []  # what came together with the prompt's own record

    def give(self) -> None:
        """Post the prompt, and wait until it is in the agent's record as it was written."""
        show(self.conversation)
        body: dict[str, Any] = {"parts": [{"type": "text", "text": self.text}]}
        if self.agent:
            body["agent"] = self.agent  # or it would be the default one, not the one of this conversation
        if self.model:
            body["model"] = self.model
        api.call("prompt", sessionID=self.conversation, body=body, seconds=ACCEPTED_SECONDS)
        end = time.monotonic() + ACCEPTED_SECONDS
        while not self.id and time.monotonic() < end:
            self.early = self.events.read(1)
            while self.early and not self.id:
                self.accept(self.early.pop(0))
        if not self.id:
            raise api.ServerError("OpenCode's server took the prompt and did not record it")

    def accept(self, event: dict[str, Any]) -> None:
        """Whether this is the prompt's own message; others may be typed at the same time."""
        info = event["properties"].get("info") or {}
        if event["type"] == "session.error" and event["properties"].get("sessionID") == self.conversation:
            raise api.ServerError(opencode_state.how(event["properties"].get("error"))[1])
        if event["type"] == "session.status" and event["properties"]["sessionID"] == self.conversation:
            self.busy = event["properties"]["status"]["type"] != "idle"
        if event["type"] != "message.part.updated":
            return
        part = event["properties"]["part"]
        if (
            part["sessionID"] == self.conversation
            and part["type"] == "text"
            and part.get("text") == self.text
        ):
            message = api.call("message", sessionID=self.conversation, messageID=part["messageID"])
            if message["info"]["role"] == "user":
                self.id = info.get("id") or part["messageID"]

    def follow(self, *, through_questions: bool) -> None:
        """Tell what happens until the turn is over, or has a question."""
        for event in self.until_over():
            if event["type"] in {"permission.asked", "question.asked"}:
                if event["type"] == "permission.asked" and opencode_state.approved():
                    continue
                told = (
                    opencode_state.permission
                    if event["type"] == "permission.asked"
                    else opencode_state.question
                )
                question = opencode_state.without_of({"question": told(event["properties"])})["question"]
                say(type="waiting", question=question)
                if not through_questions:
                    break
            else:
                self.tell(event)
        say(type="end", **self.record(), state=opencode_state.now())

    def until_over(self) -> Iterator[dict[str, Any]]:
        """The events of this turn and those of its subagents' questions."""
        while True:
            if time.monotonic() > self.end:
                fail("timeout", "the turn is not over", state=opencode_state.now())
            batch, self.early = self.early or self.events.read(1), []
            for event in batch:
                of = event["properties"]
                if event["type"] == "session.status" and of["sessionID"] == self.conversation:
                    if of["status"]["type"] != "idle":
                        self.busy = True
                    elif self.busy:
                        return
                elif (
                    event["type"] == "session.error"
                    and of.get("sessionID") == self.conversation
                    and not self.busy
                ):
                    return
                else:
                    yield event

    def tell(self, event: dict[str, Any]) -> None:
        """Text and tools of the answer."""
        of = event["properties"]
        if event["type"] == "message.updated":
            if of["info"]["role"] == "assistant" and of["info"].get("parentID") == self.id:
                self.answers.add(of["info"]["id"])
        elif event["type"] == "message.part.delta":
            if of["field"] == "text" and of["partID"] in self.told:
                self.told[of["partID"]] += len(of["delta"])
                say(type="text", text=of["delta"])
        elif event["type"] == "message.part.updated" and of["part"]["messageID"] in self.answers:
            self.tell_part(of["part"])

    def tell_part(self, part: dict[str, Any]) -> None:
        """The rest of a text, if any; a tool once its input is known."""
        if part["type"] == "text":
            rest = part["text"][self.told.setdefault(part["id"], 0) :]
            self.told[part["id"]] += len(rest)
            if rest:
                say(type="text", text=rest)
        elif part["type"] == "tool" and part["id"] not in self.told and part["state"]["status"] != "pending":
            self.told[part["id"]] = 0
            say(type="tool", name=part["tool"], input=part["state"].get("input") or {})

    def record(self) -> dict[str, Any]:
        """The whole turn as the server has kept it."""
        end = time.monotonic() + RECORDED_SECONDS
        while True:
            messages = self.messages()
            infos = [message["info"] for message in messages]
            if (
                all(info["time"].get("completed") or info.get("error") for info in infos)
                or time.monotonic() > end
            ):
                return {"duration_s": duration(infos), "usage": usage(infos), **said(messages)}
            if opencode_state.now()["value"] == "waiting":
                end = 0
            time.sleep(0.1)

    def messages(self) -> list[dict[str, Any]]:
        """The assistant's messages of this turn."""
        for query in ("&limit=20", "&limit=200", ""):
            found = api.call("messages", sessionID=self.conversation, query=query, seconds=60)
            if any(message["info"]["id"] == self.id for message in found):
                break
        return [message for message in found if message["info"].get("parentID") == self.id]


def chosen(model: str) -> dict[str, str]:
    """A model in the server's words; the program ends with `usage` where OpenCode has none of that name."""
    provider, _, name = model.partition("/")
    offered = {one["id"]: one["models"] for one in api.call("providers")["providers"]}
    if name not in offered.get(provider, {}):
        fail("usage", f"OpenCode has no model {model!r} here; `models` lists those that it has")
    return {"providerID": provider, "modelID": name}


def show(conversation: str) -> None:
    """Bring the terminals to a conversation; a terminal that does not follow is no reason to stop."""
    try:
        api.call("show", body={"sessionID": conversation}, seconds=3)
    except api.ServerError:
        return


def said(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """What the agent said after its last tool, and all its tools."""
    text, tools = "", []
    for part in (part for message in messages for part in message["parts"]):
        if part["type"] == "tool":
            text = ""
            tools.append({"name": part["tool"], "input": part["state"].get("input") or {}})
        elif part["type"] == "text" and not part.get("synthetic") and not part.get("ignored"):
            text += part["text"]
    return {"text": text, "tools": tools}


def usage(infos: list[dict[str, Any]]) -> dict[str, int]:
    """Tokens of all the model's answers in a turn."""
    counted = [info.get("tokens") or {} for info in infos]
    return {
        "input_tokens": sum(tokens.get("input", 0) for tokens in counted),
        "output_tokens": sum(tokens.get("output", 0) for tokens in counted),
    }


def duration(infos: list[dict[str, Any]]) -> float:
    """Seconds from the model's first answer to the end of its last."""
    times = [info["time"] for info in infos]
    if not times:
        return 0.0
    last = max(one.get("completed") or one["created"] for one in times)
    return round((last - min(one["created"] for one in times)) / 1000, 3)
