"""Keys with which agents' logins are encrypted, of AGENT_SESSION_KEYS or of a file of ours.

The first key encrypts, all of them decrypt.
"""

import base64
import binascii
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session.errors import ConfigurationError, Hint
from agent_session.host import atomic

if TYPE_CHECKING:
    from agent_session.server.settings import Settings

VARIABLE = "AGENT_SESSION_KEYS"
FILE = "keys"
KEPT = 2
"""How many keys the file keeps: the one before the present one still opens what is being written just now."""
ROTATE = Hint("keys", ["rotate"])


def check(words: str) -> None:
    """Refuse what is no key, without quoting it. Raises ConfigurationError."""
    for number, word in enumerate(_split(words), 1):
        if not _is_key(word):
            raise ConfigurationError(VARIABLE, f"key {number} is not 32 random bytes in base64", hint=ROTATE)


def read(settings: "Settings") -> list[str]:
    """Return the keys, the one that encrypts first; the first time the file is made. ConfigurationError."""
    if chosen := _split(settings.keys.get_secret_value()):
        return chosen
    file = settings.server_state / FILE
    return _of_file(file) or _made(file)


def encrypt(settings: "Settings", text: str) -> str:
    """Encrypt a text with the first key."""
    from cryptography.fernet import Fernet

    return Fernet(read(settings)[0]).encrypt(text.encode()).decode()


def decrypt(settings: "Settings", token: str) -> str:
    """Decrypt a text. ConfigurationError where none of the keys opens it."""
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    try:
        return MultiFernet([Fernet(key) for key in read(settings)]).decrypt(token.encode()).decode()
    except InvalidToken:
        where = VARIABLE if settings.keys.get_secret_value() else settings.server_state / FILE
        reason = "none of its keys opens the agents' logins in the database"
        raise ConfigurationError(where, reason, hint=ROTATE) from None


def add(settings: "Settings") -> None:
    """Put a new key before those of the file, of which the newest stay."""
    file = settings.server_state / FILE
    with _locked(file):
        _write(file, [new(), *_of_file(file)][:KEPT])


def new() -> str:
    """Make a key."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _made(file: Path) -> list[str]:
    with _locked(file):
        found = _of_file(file) or [new()]
        _write(file, found)
    return found


def _write(file: Path, words: list[str]) -> None:
    atomic.replace(file, "".join(f"{word}\n" for word in words).encode(), mode=0o600)


def _of_file(file: Path) -> list[str]:
    try:
        words = file.read_text().split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise ConfigurationError(file, f"the keys cannot be read: {reason}") from error
    if not all(map(_is_key, words)):
        raise ConfigurationError(file, "it holds something that is no key")
    if file.stat().st_mode & 0o077:
        raise ConfigurationError(file, "others may read it", hint=Hint(shell=f"chmod 600 {file}"))
    return words


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file.with_name("keys.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _split(words: str) -> list[str]:
    return words.replace(",", " ").split()


def _is_key(word: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(word)) == 32
    except (binascii.Error, ValueError):
        return False
