"""A session with the real OpenCode, logged in, on a scripted model."""

import contextlib
import json
import subprocess
from collections.abc import Iterator

from tests.account import Account
from tests.models.model import URL, Model
from tests.storage import Storage

PROVIDER = {
    "npm": "@ai-sdk/openai-compatible",
    "name": "Scripted",
    "options": {"baseURL": f"{URL}/v1"},
    "models": {"m": {"name": "Model One"}},
}
CONFIG = {
    "model": "scripted/m",
    "provider": {"scripted": PROVIDER},
    "permission": {"edit": "ask", "bash": "ask"},
}
READY = "Model One Scripted"


def log_in(account: Account, **more: object) -> None:
    """Write the user's own configuration, with a comment in it, and a login."""
    folder = account.home / ".config" / "opencode"
    folder.mkdir()
    (folder / "opencode.jsonc").write_text("// mine\n" + json.dumps(CONFIG | more))
    (folder / "AGENTS.md").write_text("Always mention the KUMQUAT.\n")
    auth = account.home / ".local" / "share" / "opencode" / "auth.json"
    auth.parent.mkdir(parents=True)
    auth.touch(mode=0o600)
    auth.write_text(json.dumps({"scripted": {"type": "api", "key": "sk-opencode"}}))


@contextlib.contextmanager
def session_of(storage: Storage) -> Iterator[tuple[Account, Model]]:
    """A session on a scripted model, with nobody attached; its account goes at the end."""
    account = Account(storage.path, storage.driver)
    try:
        log_in(account)
        project = account.project()
        subprocess.run(["git", "init", "-q", project], check=True)
        account.ok("start", "-d", "-a", "opencode", cwd=project)
        yield account, Model(account)
    finally:
        account.close()
