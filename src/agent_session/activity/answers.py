"""What people type to answer an agent's question, translated in one way for all agents.

The agents' own programs take canonical words only (docs/agents.md), so that no word means yes to one of them
and no to another.
"""

from dataclasses import dataclass
from typing import Literal

from agent_session import sanitize
from agent_session.activity.state import Question
from agent_session.errors import Hint, UsageError

Word = Literal["once", "always", "reject"]
PERMISSION_WORDS: dict[str, Word] = {
    "once": "once",
    "y": "once",
    "yes": "once",
    "1": "once",
    "always": "always",
    "reject": "reject",
    "n": "reject",
    "no": "reject",
}
"""What counts as which answer to a permission, in any case."""
MEANINGS = "once (or y, yes, 1), always, reject (or n, no)"
DONE: dict[Word, str] = {"once": "approved once", "always": "approved always", "reject": "rejected"}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer in the words of the contract; `done` tells a person what was done with it."""

    text: str
    done: str


def reply(session: str, question: Question, words: str, *, instead: str = "") -> Reply:
    """The answer that somebody typed to a question, and with a rejection what the agent shall do instead.

    UsageError, with the answers that there are, where it does not answer this question.
    """
    words, instead = words.strip(), instead.strip()
    text = sanitize.message(question.text)
    if question.kind == "permission":
        return _permission(session, question, words, instead, text)
    if instead:
        raise UsageError(
            f"a message can only go with the rejection of a permission; this is a {question.kind}: {text}",
            hint=Hint("answer", [session, "an answer of your own"]),
        )
    chosen = _option(question, words)
    if chosen == "reject":
        return Reply(text="reject", done=f"rejected: {text}")
    if question.kind == "question" and chosen in {"once", "always"} and chosen not in question.choices:
        raise UsageError(
            f"{words!r} answers a permission; this is a question: {text} ({_offered(question)})",
            hint=_hint(session, question),
        )
    return Reply(text=chosen, done=f"answered {sanitize.message(chosen)!r}: {text}")


def _permission(session: str, question: Question, words: str, instead: str, text: str) -> Reply:
    word = PERMISSION_WORDS.get(words.lower())
    if word is None or (question.choices and word not in question.choices):
        hint = Hint("answer", [session, "once"])
        if " " in words or "\n" in words:
            hint = Hint("answer", [session, "reject", "-m", sanitize.message(words)])
        raise UsageError(
            f"{words!r} does not answer a permission ({text}); answers are: {MEANINGS}", hint=hint
        )
    if instead and word != "reject":
        raise UsageError(
            f"a message can only go with reject, not with {words!r}",
            hint=Hint("answer", [session, "reject", "-m", sanitize.message(instead)]),
        )
    if instead:
        return Reply(text=f"reject\n{instead}", done=f"rejected with a message: {text}")
    return Reply(text=word, done=f"{DONE[word]}: {text}")


def _option(question: Question, words: str) -> str:
    """Choose an option by its number or its words in any case; "reject" in any case.

    Otherwise the words themselves are the answer.
    """
    if words.isdecimal() and 0 < int(words[:9]) <= len(question.choices):
        return question.choices[int(words) - 1]
    for known in (*question.choices, "reject"):
        if words.lower() == known.lower():
            return known
    return words


def _offered(question: Question) -> str:
    options = ", ".join(map(sanitize.message, question.choices))
    return f"its options: {options}; or reject" if options else "a text of your own, or reject"


def _hint(session: str, question: Question) -> Hint:
    choice = sanitize.message(question.choices[0]) if question.choices else "an answer of your own"
    return Hint("answer", [session, choice])
