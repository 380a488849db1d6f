"""OpenCode, the real one, against a scripted model: logged in, with its permissions and yesterday's conversation."""

import contextlib
import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.account import Account, Storage
from tests.models.model import URL, Model
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("opencode")]

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
    """The user's own configuration, with a comment in it, and a login."""
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
        account.ok("start", "-d", "-a", "opencode", cwd=project, seconds=180)
        yield account, Model(account)
    finally:
        account.close()


def ask(model: Model, prompt: str, answer: str) -> str:
    model.shown(READY, seconds=60)
    return model.ask(prompt, answer)


def test_it_edits_with_permission_and_remembers_until_asked_to_start_afresh(account: Account) -> None:
    log_in(
        account, mcp={"off": {"type": "local", "command": ["/opt/nowhere"]}}, plugin=["file:///opt/plugin.js"]
    )
    project = account.project()
    # As in a fresh clone: OpenCode ends at once where it cannot make .opencode/.gitignore.
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".opencode" / "command").mkdir(parents=True)
    (project / ".opencode" / "command" / "hello.md").write_text("Say hello.\n")
    terminal = account.window("start", "-a", "opencode", cwd=project, columns=100, rows=30)
    terminal.wait_for(READY, seconds=40)
    model = Model(account).begin(
        {"tool": "write", "input": {"filePath": "/workspace/app/made.txt", "content": "made by opencode\n"}},
        {"text": "Written as asked"},
    )
    terminal.type("write the PINEAPPLE file", "Enter")
    terminal.wait_for("Permission required", "made.txt", seconds=30)
    assert not (project / "made.txt").exists()
    terminal.press("Enter")
    terminal.wait_for("Written as asked")
    assert (project / "made.txt").read_text() == "made by opencode\n"
    request = model.turns()[0]
    assert request["headers"]["authorization"] == "Bearer sk-opencode"
    assert "KUMQUAT" in json.dumps(request["body"])
    account.close_windows()

    account.ok("stop", cwd=project)
    account.ok("start", "-d", cwd=project)
    model.begin({"text": "After a stop"})
    assert "Written as asked" in ask(model, "and now", "After a stop")
    account.podman("kill", "agent_default")
    until(lambda: account.sessions() == {"default": "stopped"}, "the end")
    account.ok("start", "-d", cwd=project)
    model.begin({"text": "After a kill"})
    assert "After a stop" in ask(model, "and then", "After a kill")
    said = json.dumps(model.turns()[0]["body"]["messages"])
    assert all(words in said for words in ("PINEAPPLE", "Written as asked", "and now", "After a stop"))

    account.ok("stop", cwd=project)
    account.ok("start", "-d", "--fresh", "--auto-approve", cwd=project)
    model.begin(
        {"tool": "bash", "input": {"command": "echo unasked > unasked.txt", "description": "make a file"}},
        {"text": "All done"},
    )
    assert "PINEAPPLE" not in ask(model, "make it", "All done")
    assert "PINEAPPLE" not in json.dumps(model.turns()[0]["body"]["messages"])
    assert (project / "unasked.txt").read_text() == "unasked\n"
    account.ok("stop", cwd=project)
    assert [path.name for path in (project / ".opencode").iterdir()] == ["command"]
