"""When a comment begins a session: the public document's words, its length, or an explicit request."""

import re

KEYWORDS = (
    "help me", "can you help", "i need help", "assist me",
    "implement", "create", "build", "develop",
    "debug", "fix", "analyze", "review",
    "session", "start a session", "let's work", "let us work", "work on",
)  # fmt: skip
LONG = 200
"""Characters; a longer comment begins a session without a keyword."""
_WORDS = re.compile(r"\b(?:" + "|".join(map(re.escape, KEYWORDS)) + r")", re.IGNORECASE)


def mentions(text: str, name: str) -> bool:
    """Say whether a text mentions the agent: @name, without its spaces too, or the document's names."""
    lower = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    names = {name.lower(), name.lower().replace(" ", ""), "opencodeagent", "opencodeintegration"}
    return any(re.search(rf"(?<![\w@])@{re.escape(one)}(?![\w-])", lower) for one in names if one) or any(
        one in lower for one in ("@opencode integration", "@opencode agent")
    )


def begins_session(text: str) -> bool:
    """Say whether a mention asks for work, and not only for a word."""
    return len(text) > LONG or bool(_WORDS.search(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))
