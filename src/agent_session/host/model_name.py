"""The name of an agent's model, as it is typed."""

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@+[]-")
LONGEST = 255


def read(text: str) -> str:
    """Return what can be a model's name, and no option. ValueError."""
    if not 0 < len(text) <= LONGEST or not text[0].isalnum() or not LETTERS.issuperset(text):
        raise ValueError(f"{text[:100]!r} is not a model's name (anthropic/claude-sonnet-4-5, opus)")
    return text
