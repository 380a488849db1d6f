"""Questions, only ever asked on a terminal. Ctrl-C at any of them is Ctrl-C."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An agent in the picker: `state` is "ready" or what it lacks."""

    name: str
    title: str
    state: str


def pick_agent(choices: Sequence[Choice], default: str) -> str:
    """The name of the agent somebody picked: by number, by name, or by Enter the default."""
    import questionary

    print("Available agents:")
    for number, choice in enumerate(choices, 1):
        print(f"  {number}. {choice.title} ({choice.state})")
    print()
    answers = (
        {str(number): choice.name for number, choice in enumerate(choices, 1)}
        | {c.name: c.name for c in choices}
        | {"": default}
    )

    def known(text: str) -> bool | str:
        return text.strip().lower() in answers or f"a number from 1 to {len(choices)}, or Enter for {default}"

    question = questionary.text(f"Select agent (default: {default}):", qmark="", validate=known)
    return answers[str(question.unsafe_ask()).strip().lower()]


def confirm(question: str, *, default: bool) -> bool:
    """Yes or no."""
    import questionary

    return bool(questionary.confirm(question, default=default, qmark="").unsafe_ask())
