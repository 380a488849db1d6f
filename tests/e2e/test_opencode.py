"""OpenCode, the real one, against a scripted model:
logged in, with its permissions and yesterday's conversation.
"""

import json
import subprocess

import pytest

from tests.account import Account
from tests.models.model import Model
from tests.opencode import READY, log_in
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("opencode")]


def ask(model: Model, prompt: str, answer: str) -> str:
    model.shown(READY)
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
    terminal.wait_for(READY)
    model = Model(account).begin(
        {"tool": "write", "input": {"filePath": "/workspace/app/made.txt", "content": "made by opencode\n"}},
        {"text": "Written as asked"},
    )
    terminal.type("write the PINEAPPLE file", "Enter")
    terminal.wait_for("Permission required", "made.txt")
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
    # OpenCode keeps what it installs in .opencode, as on the host, and has git ignore it.
    changed = subprocess.check_output(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=project, text=True
    )
    assert set(changed.splitlines()) == {
        "?? .opencode/command/hello.md",
        "?? made.txt",
        "?? unasked.txt",
    }
