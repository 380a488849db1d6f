"""A turn that goes on, as the page shows it: told from the first element on that has changed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from agent_session.activity.protocol import Event, Said, Used
from agent_session.server.turns import Turn
from agent_session.server.web import markdown
from agent_session.server.web.pictures import ENDINGS
from agent_session.server.web.templates import render


@dataclass(kw_only=True)
class TurnView:
    """What one browser has been told of the turn that goes on."""

    turn: str = ""
    told: list[str] = field(default_factory=list)

    def changes(self, turn: Turn | None) -> dict[str, Any] | None:
        """Return what a browser must replace, from which place on; None where it has all of it."""
        if turn is None:
            self.turn, self.told = "", []
            return None
        if str(turn.id) != self.turn:
            self.turn, self.told = str(turn.id), []
        now = pieces(turn)
        same = next((i for i, (a, b) in enumerate(zip(now, self.told, strict=False)) if a != b), None)
        at = min(len(now), len(self.told)) if same is None else same
        if at == len(now) == len(self.told):
            return None
        self.told = now
        return {"turn": self.turn, "at": at, "html": now[at:]}


def pieces(turn: Turn) -> list[str]:
    """Return a turn's elements, its prompt first."""
    return [render("prompt.html", text=turn.text), *of_events(turn.events)]


def of_events(events: Iterable[Event]) -> list[str]:
    """Return the elements of what an agent said and used."""
    found: list[str] = []
    for kind, group in groupby(events, type):
        if kind is Said:
            text = "".join(one.text for one in group if isinstance(one, Said))
            found += [render("block.html", html=markdown.html(block)) for block in markdown.blocks(text)]
        elif kind is Used:
            found += [tool(one) for one in group if isinstance(one, Used)]
    return found


def tool(used: Used) -> str:
    """Return a tool's element, folded: its name, the gist of its input, and all of it."""
    values = {"gist": gist(used.input), "input": whole(used.input), "picture": _picture(used.input)}
    return render("tool.html", name=used.name, **values)


def _picture(value: Any) -> str:
    """Return the path of a picture that a tool has read or written, or ""."""
    for key in ("file_path", "filePath", "path"):
        found = value.get(key) if isinstance(value, dict) else None
        if isinstance(found, str) and found.lower().endswith(ENDINGS):
            return found
    return ""


def gist(value: Any) -> str:
    """Return the line of an input that a person recognises it by."""
    if isinstance(value, dict):
        for key in (
            "command",
            "file_path",
            "filePath",
            "path",
            "pattern",
            "url",
            "query",
            "description",
            "prompt",
        ):
            if isinstance(found := value.get(key), str) and found.strip():
                return found.strip().splitlines()[0][:200]
    return value.strip().splitlines()[0][:200] if isinstance(value, str) and value.strip() else ""


def whole(value: Any) -> str:
    """Return an input as a text, of 20,000 characters at most."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return "" if value in (None, {}, "") else text[:20_000]
