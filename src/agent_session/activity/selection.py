"""Sessions chosen, put in order and written by their JSON: what `ls` is told to."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from agent_session import sanitize
from agent_session.errors import Hint, UsageError

Json = dict[str, Any]
KEYS = ("name", "agent", "state", "status", "label", "project")
SORTS = ("name", "agent", "state", "since", "created")
FIELD = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_-]+)*)\}")
ESCAPES = {r"\t": "\t", r"\n": "\n"}
ORDER = ("waiting", "failed", "exited", "idle", "working", "starting", "unknown")
"""States, those that need a person first."""


def matching(sessions: Sequence[Json], filters: Sequence[str]) -> list[Json]:
    """Choose the sessions that fit all filters, KEY=VALUE; of several with one key, any.

    A key is one of KEYS; label=key or label=key=value. Raises UsageError for what is no filter.
    """
    wanted: dict[str, list[str]] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals or key not in KEYS:
            raise UsageError(
                f"{text!r} is not a filter: use KEY=VALUE, with KEY one of {', '.join(KEYS)}",
                hint=Hint("ls", ["--filter", "state=waiting"]),
            )
        wanted.setdefault(key, []).append(value)
    return [
        session
        for session in sessions
        if all(any(_fits(session, key, value) for value in values) for key, values in wanted.items())
    ]


def _fits(session: Json, key: str, value: str) -> bool:
    if key == "state":
        return bool(session["state"]["value"] == value)
    if key == "label":
        name, equals, content = value.partition("=")
        labels = session["labels"]
        return name in labels and (not equals or labels[name] == content)
    if key == "project":
        places = (str(place) for one in session["projects"] for place in (one["source"], one["target"]))
        return any(place == value or place.rpartition("/")[2] == value for place in places)
    return bool(session[key] == value)


def ordered(sessions: Sequence[Json], key: str) -> list[Json]:
    """Put sessions in the order of one of SORTS; those of which it is not known come last."""
    orders: dict[str, Callable[[Json], Any]] = {
        "name": lambda one: one["name"],
        "agent": lambda one: one["agent"],
        "state": lambda one: ORDER.index(one["state"]["value"]),
        "since": lambda one: one["state"]["since"] or "~",
        "created": lambda one: one["created"],
    }
    return sorted(sessions, key=lambda one: (orders[key](one), one["name"]))


def sort_key(text: str) -> str:
    """Read a key to sort by. Raises ValueError with one line."""
    if text not in SORTS:
        raise ValueError(f"{text!r} is nothing to sort by: use {', '.join(SORTS)}")
    return text


def written(session: Json, template: str) -> str:
    r"""Write a session by a template: {name}, {state.value}, {labels.team}; \t and \n are those characters.

    What is no text is JSON, null is empty. Raises UsageError for a field that no session has.
    """
    for typed, meant in ESCAPES.items():
        template = template.replace(typed, meant)

    def put(found: re.Match[str]) -> str:
        value: Any = session
        for part in found[1].split("."):
            inner: Json = value if isinstance(value, dict) else {}
            if part not in inner and inner is not session.get("labels"):
                raise UsageError(
                    f"{{{found[1]}}} is no field of a session; agent-session ls --json shows them all",
                    hint=Hint("ls", ["--format", "{name} {state.value}"]),
                )
            value = inner.get(part)
        if value is None:
            return ""
        return sanitize.shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

    return FIELD.sub(put, template)
