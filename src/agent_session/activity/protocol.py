"""The messages of an agent about itself and its turns (docs/agents.md), read strictly.

They come out of a container.

Unknown keys are passed over; what is missing or of another kind raises Malformed. Texts are as the agent
wrote them, escape sequences included: who shows them makes them harmless.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent_session.activity import state as states
from agent_session.activity.state import Question, State

SURROGATES = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """Something that is not in the words of the contract; says where."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The agent has the prompt; `turn` names it for its own."""

    turn: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """A piece of what it says."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Used:
    """A tool it used."""

    name: str
    input: Any = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """It waits for a human."""

    question: Question


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Its turn is over, or waits: the answer, whole, from its record. `usage` is in tokens."""

    text: str
    tools: tuple[Used, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    duration: float | None = None
    """Seconds."""
    state: State

    def lasting(self, seconds: float) -> "Ended":
        """The same, where the agent does not say how long it took."""
        return replace(self, duration=seconds)


Event = Taken | Said | Used | Asked | Ended


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model the agent can use now."""

    id: str
    name: str
    current: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What was said in the conversation; `role` is user or assistant."""

    role: str
    text: str
    tools: tuple[Used, ...] = ()
    time: str = ""


def parsed(line: bytes) -> dict[str, Any]:
    """Parse a line as an object. Lone surrogates, which cannot be printed, become U+FFFD."""
    try:
        found = _whole(json.loads(line, parse_constant=_no_number))
    except (ValueError, RecursionError):
        raise Malformed("a line is not a JSON object") from None
    return _object(found, "a line")


def event(said: Mapping[str, Any]) -> Event | None:
    """What happened in a turn; None for a kind that is not known here."""
    match said.get("type"):
        case "turn":
            return Taken(turn=_text(said, "turn"))
        case "text":
            return Said(text=_text(said, "text"))
        case "tool":
            return _tool(said)
        case "waiting":
            return Asked(question=_question(_object(said.get("question"), "question")))
        case "end":
            return _ended(said)
        case str():
            return None
        case _:
            raise Malformed("type is missing")


def state(said: Any) -> State:
    """A state."""
    if _text(_object(said, "state"), "value") not in states.VALUES:
        raise Malformed("the state's value is not known")
    return states.parsed(said)


def models(said: Mapping[str, Any]) -> list[Model]:
    """What `models` says."""
    found = [_object(item, "a model") for item in _list(said, "models")]
    return [
        Model(
            id=_text(item, "id"),
            name=_text(item, "name", "") or _text(item, "id"),
            current=item.get("current") is True,
        )
        for item in found
    ]


def entries(said: Mapping[str, Any]) -> list[Entry]:
    """What `history` says."""
    found = [_object(item, "an entry") for item in _list(said, "entries")]
    return [
        Entry(
            role=_one_of(_text(item, "role"), ("user", "assistant")),
            text=_text(item, "text", ""),
            tools=tuple(_tool(_object(tool, "a tool")) for tool in _list(item, "tools", [])),
            time=_text(item, "time", ""),
        )
        for item in found
    ]


def _ended(said: Mapping[str, Any]) -> Ended:
    usage = _object(said.get("usage", {}), "usage")
    duration = said.get("duration_s")
    if duration is not None and (isinstance(duration, bool) or not isinstance(duration, int | float)):
        raise Malformed("duration_s is not a number")
    return Ended(
        text=_text(said, "text"),
        tools=tuple(_tool(_object(tool, "a tool")) for tool in _list(said, "tools", [])),
        usage={
            key: value
            for key, value in usage.items()
            if isinstance(value, int) and not isinstance(value, bool)
        },
        duration=duration,
        state=state(said.get("state")),
    )


def _tool(said: Mapping[str, Any]) -> Used:
    return Used(name=_text(said, "name"), input=said.get("input"))


def _question(said: Mapping[str, Any]) -> Question:
    choices = _list(said, "choices", [])
    if not all(isinstance(choice, str) for choice in choices):
        raise Malformed("a choice is not a text")
    return Question(
        kind=_text(said, "kind", "question"),
        text=_text(said, "text", ""),
        choices=tuple(choices),
        id=_text(said, "id", ""),
    )


def _object(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Malformed(f"{what} is not an object")
    return found


def _text(said: Mapping[str, Any], key: str, default: str | None = None) -> str:
    found = said.get(key, default)
    if not isinstance(found, str):
        raise Malformed(f"{key} is not a text")
    return found


def _list(said: Mapping[str, Any], key: str, default: list[Any] | None = None) -> list[Any]:
    found = said.get(key, default)
    if not isinstance(found, list):
        raise Malformed(f"{key} is not a list")
    return found


def _one_of(found: str, known: tuple[str, ...]) -> str:
    if found not in known:
        raise Malformed(f"there is no such thing: {found[:40]!r}")
    return found


def _no_number(name: str) -> float:
    raise ValueError(name)


def _whole(value: Any) -> Any:
    """The value with each of its texts fit to be encoded."""
    mended: Callable[[str], str] = lambda text: SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)  # noqa: E731
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {mended(key): _whole(item) for key, item in value.items()}
    return value
