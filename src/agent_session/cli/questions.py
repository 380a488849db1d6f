"""Questions, only ever asked on a terminal. Ctrl-C at any of them is Ctrl-C."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_NUMBERED = 9
"""With more answers than that, a number is no key any more."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An agent in the picker: `state` is "ready" or what it lacks."""

    name: str
    title: str
    state: str


def pick_agent(choices: Sequence[Choice], default: str) -> str:
    """The name of the agent somebody picked: with the arrow keys, or by number; Enter takes it."""
    titles = {choice.name: f"{choice.title} ({choice.state})" for choice in choices}
    return choose(f"Select agent (default: {default}):", titles, default)


def choose(question: str, answers: dict[str, str], default: str) -> str:
    """The key of the answer somebody chose, of those that are shown. Enter takes the default at once."""
    import questionary

    numbered = len(answers) <= MOST_NUMBERED
    choices: list[Any] = [
        questionary.Choice(title, value=key, shortcut_key=str(number) if numbered else None)
        for number, (key, title) in enumerate(answers.items(), 1)
    ]
    instruction = "(arrow keys or a number, then Enter)" if numbered else "(arrow keys, then Enter)"
    asked = questionary.select(
        question, choices, default=default, qmark="", use_shortcuts=numbered, instruction=instruction
    )
    return str(asked.unsafe_ask())


def confirm(question: str, *, default: bool) -> bool:
    """Yes or no."""
    import questionary

    return bool(questionary.confirm(question, default=default, qmark="").unsafe_ask())
