"""The page's templates, and the words and figures in them."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent_session.host import clock
from agent_session.server.web import assets

STATES = {
    "waiting": ("◆", "waiting for you"),
    "failed": ("■", "failed"),
    "working": ("●", "working"),
    "starting": ("◌", "starting"),
    "idle": ("○", "ready"),
    "unknown": ("?", "unknown"),
    "exited": ("✕", "agent has ended"),
    "stopped": ("□", "stopped"),
}
"""Each state's shape and words, in the order in which sessions are listed."""

BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS X", "Mac"), ("Linux", "Linux"),
)  # fmt: skip


@cache
def environment() -> Environment:
    """Return what renders templates; they are read at their first use."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["age"] = age
    made.filters["browser"] = browser
    made.globals["static"] = lambda name: f"/static/{assets.version()}/{name}"
    made.globals["states"] = STATES
    return made


def render(template: str, **values: Any) -> str:
    """Render a template."""
    return environment().get_template(template).render(**values)


def age(moment: str | datetime | None) -> str:
    """Say how long ago something was, in one figure: 40 s, 5 min, 3 h, 2 d."""
    then = clock.parse(moment) if isinstance(moment, str) else moment
    if then is None:
        return ""
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def browser(user_agent: str) -> str:
    """Name a browser and its system as people do: Firefox on Android."""
    name = next((name for mark, name in BROWSERS if mark in user_agent), user_agent[:40] or "A browser")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return f"{name} on {system}" if system else name
