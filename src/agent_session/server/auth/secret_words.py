"""The random words of links, cookies and tokens; only their digests are kept."""

import hashlib
import secrets

TOKEN = "as_"
"""What an API token begins with, so that it can be recognised where it does not belong."""


def new(prefix: str = "") -> str:
    """Make a word of 32 random bytes that fits into a URL."""
    return prefix + secrets.token_urlsafe(32)


def digest(word: str) -> str:
    """Return what is kept of a word: its SHA-256. The words are random, so no salt is needed."""
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()
