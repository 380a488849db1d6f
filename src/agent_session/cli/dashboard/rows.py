"""What the dashboard tells of sessions: their order, a row each, and the question of the chosen one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style
from rich.text import Text

from agent_session import sanitize
from agent_session.activity.answers import DONE
from agent_session.cli import output

if TYPE_CHECKING:
    from agent_session.activity.state import Question, State
    from agent_session.sessions.session import Session

COLUMNS = ("NAME", "STATE", "SINCE", "AGENT", "PROJECTS")
FIRST = ("waiting", "failed", "working", "starting", "idle", "unknown", "exited")
"""The order of the list: what needs a person comes first."""

COLOURS = {
    "waiting": "bold yellow",
    "failed": "bold red",
    "working": "cyan",
    "idle": "green",
    "exited": "dim",
}
MOST_CHOICES = 9
"""As many answers have a key of their own, the digits."""


class Seen(NamedTuple):
    """A session with its state, as one look found them."""

    session: "Session"
    state: "State"


def ordered(seen: Sequence[Seen]) -> list[Seen]:
    """Sort sessions: those that wait for a person first, then by name."""
    return sorted(seen, key=lambda one: (FIRST.index(one.state.value), one.session.name))


def cells(seen: Seen) -> list[Text]:
    """Return the row of a session, a text for each of COLUMNS."""
    session, state = seen
    places = [*(one.target.name for one in session.projects), *(one.target.name for one in session.clones)]
    value = state.value if session.running else "stopped"
    return [
        Text(session.name),
        Text(value, COLOURS.get(state.value, "")),
        Text(output.since(state)),
        Text(session.agent),
        Text(sanitize.shown(", ".join(places))),
    ]


def answers(question: "Question") -> list[str]:
    """Return the answers to a question that have a key, in the order of the digits 1 to 9."""
    if question.kind == "permission":
        return [one for one in DONE if not question.choices or one in question.choices]
    return [*question.choices][:MOST_CHOICES]


def asked(one: Seen) -> Text:
    """Return what a session waits for, with the key of each answer; else why it is in its state."""
    state = one.state
    if state.value != "waiting" or state.question is None:
        return Text(state.reason)
    text = Text(sanitize.lines(state.question.text).strip())
    for number, answer in enumerate(answers(state.question), start=1):
        clicked = Style(meta={"@click": f"app.reply({number})"})
        text.append("\n")
        text.append(f" {number} ", clicked + Style(reverse=True))
        text.append(f" {sanitize.shown(answer)}", clicked)
    return text


def summary(seen: Sequence[Seen]) -> str:
    """Return the title's words: how many sessions there are, and how many of them wait for a person."""
    waiting = sum(one.state.value == "waiting" for one in seen)
    count = f"{len(seen)} session{'' if len(seen) == 1 else 's'}"
    return f"{count}, {waiting} waiting" if waiting else count
