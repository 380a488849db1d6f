"""Claude Code, the real one, against a scripted model:
logged in, never asked, with yesterday's conversation.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.account import Account
from tests.models.model import URL, Model
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("claude")]

KEY = "sk-ant-api03-" + "k" * 60
TOKEN = "sk-ant-oat01-" + "t" * 60
BASE = {"ANTHROPIC_BASE_URL": URL}
BEDROCK = {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BEDROCK_BASE_URL": URL, "AWS_REGION": "eu-west-1"}
VERTEX = {
    "CLAUDE_CODE_USE_VERTEX": "1",
    "ANTHROPIC_VERTEX_BASE_URL": URL,
    "ANTHROPIC_VERTEX_PROJECT_ID": "p",
    "CLOUD_ML_REGION": "us-east5",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
}
# The host's ~/.claude.json, variables, and what the server must have been shown.
LOGINS = {
    "apiKey": ({"apiKey": KEY}, BASE, {"x-api-key": KEY}),
    "primaryApiKey": ({"primaryApiKey": KEY}, BASE, {"x-api-key": KEY}),
    "ANTHROPIC_API_KEY": (None, BASE | {"ANTHROPIC_API_KEY": KEY}, {"x-api-key": KEY}),
    "ANTHROPIC_API_KEY with a newline": (None, BASE | {"ANTHROPIC_API_KEY": f"{KEY}\n"}, {"x-api-key": KEY}),
    "ANTHROPIC_AUTH_TOKEN": (
        None,
        BASE | {"ANTHROPIC_AUTH_TOKEN": "gateway"},
        {"authorization": "Bearer gateway"},
    ),
    "CLAUDE_CODE_OAUTH_TOKEN": (
        None,
        BASE | {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN},
        {"authorization": f"Bearer {TOKEN}"},
    ),
    "Bedrock, keys": (
        None,
        BEDROCK | {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"},
        {"authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/"},
    ),
    "Bedrock, token": (
        None,
        BEDROCK | {"AWS_BEARER_TOKEN_BEDROCK": "bearer"},
        {"authorization": "Bearer bearer"},
    ),
    "Vertex": (None, VERTEX, {}),
}
EACH_KIND = {"apiKey", "CLAUDE_CODE_OAUTH_TOKEN", "Bedrock, keys"}
"""A file, a variable, another company's servers: one login each, and `make nightly` has the others."""
PROMPT = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
DIALOGS = (
    "trust",
    "Do you want",
    "Enter to confirm",
    "Press Enter",
    "Select login",
    "text style",
    "Settings Error",
    "auto mode",
    "1. Yes",
)


def claude_json(account: Account, content: object) -> Path:
    file = account.home / ".claude.json"
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    return file


def ask(model: Model, prompt: str, answer: str) -> str:
    """Type a prompt, which no dialog may be waiting for; the screen with the answer."""
    screen = model.shown(PROMPT)
    assert not [words for words in DIALOGS if words in screen], screen
    return model.ask(prompt, answer)


def granted(terminal: Terminal, file: Path) -> bool:
    terminal.press("Enter")
    return file.exists()


@pytest.mark.parametrize(
    "form", [form if form in EACH_KIND else pytest.param(form, marks=pytest.mark.long) for form in LOGINS]
)
def test_each_login_alone_ends_in_a_prompt_that_answers(account: Account, form: str) -> None:
    file, variables, shown = LOGINS[form]
    if file:
        claude_json(account, file)
    done = account.run("start", "-d", "-a", "claude", cwd=account.project(), env=variables)
    assert (done.code, done.err) == (0, "")
    model = Model(account).begin({"text": "Scripted and well"})
    ask(model, "hello", "Scripted and well")
    (request,) = model.turns()
    for header, value in shown.items():
        assert request["headers"][header].startswith(value)


@pytest.mark.parametrize("starts", [2, pytest.param(10, marks=pytest.mark.long)])
def test_the_last_of_many_starts_asks_as_little_as_the_first_and_keys_stay_in_memory(
    account: Account, starts: int
) -> None:
    file = claude_json(account, {"apiKey": KEY, "someUnknownKey": {"kept": True}, "numStartups": 3})
    before = file.read_bytes()
    project = account.project()
    for number in range(starts):
        account.ok("start", "-d", "-a", "claude", cwd=project, env=BASE)
        if number in {0, starts - 1}:
            ask(Model(account).begin({"text": f"answer {number}"}), "hello", f"answer {number}")
        account.ok("stop", cwd=project)
    assert file.read_bytes() == before
    account.ok("start", "-d", cwd=project, env=BASE)
    own = json.loads(account.inside("default", "cat", "/home/agent/.claude.json"))
    assert own["someUnknownKey"] == {"kept": True}
    assert account.podman_done("exec", "agent_default", "grep", "-rlF", KEY, "/home/agent").out == ""
    Model(account).begin({"text": "Said in print"})
    assert account.inside("default", "claude", "-p", "say") == "Said in print"


def test_it_edits_with_permission_and_remembers_until_asked_to_start_afresh(account: Account) -> None:
    claude_json(account, {"apiKey": KEY})
    project = account.project()
    terminal = account.window("start", "-a", "claude", cwd=project, env=BASE)
    terminal.wait_for(PROMPT, "manual mode")
    model = Model(account).begin(
        {"tool": "Write", "input": {"file_path": "/workspace/app/made.txt", "content": "made by claude\n"}},
        {"text": "Written as asked"},
    )
    terminal.type("write the PINEAPPLE file", "Enter")
    terminal.wait_for("made.txt", "1. Yes")
    assert not (project / "made.txt").exists()
    # Claude does not take a key that comes in the moment in which it asks.
    until(lambda: granted(terminal, project / "made.txt"), "the file")
    terminal.wait_for("Written as asked")
    assert (project / "made.txt").read_text() == "made by claude\n"
    account.close_windows()

    account.ok("stop", cwd=project)
    account.ok("start", "-d", cwd=project, env=BASE)
    model.begin({"text": "After a stop"})
    assert "write the PINEAPPLE file" in ask(model, "and now", "After a stop")
    # Claude writes its record a moment after the screen.
    written = ("exec", "agent_default", "grep", "-rq", "After a stop", "/home/agent/.claude/projects")
    until(lambda: account.podman_done(*written).code == 0, "the answer in the record")
    account.podman("kill", "agent_default")
    until(lambda: account.sessions() == {"default": "stopped"}, "the end")
    account.ok("start", "-d", cwd=project, env=BASE)
    model.begin({"text": "After a kill"})
    assert "After a stop" in ask(model, "and then", "After a kill")
    (request,) = model.turns()
    said = json.dumps(request["body"]["messages"])
    assert all(words in said for words in ("PINEAPPLE", "Written as asked", "and now", "After a stop"))

    account.ok("stop", cwd=project)
    account.ok("start", "-d", "--fresh", cwd=project, env=BASE)
    model.begin({"text": "Afresh"})
    assert "PINEAPPLE" not in ask(model, "who am I", "Afresh")
    assert "PINEAPPLE" not in json.dumps(model.turns()[0]["body"]["messages"])
    model.ask("/exit", "Start it again: agent")
    assert "Afresh" in model.ask("agent", "who am I")


def test_with_auto_approve_it_does_not_ask(account: Account) -> None:
    claude_json(account, {"apiKey": KEY})
    project = account.project()
    account.ok("start", "-d", "-a", "claude", "--auto-approve", cwd=project, env=BASE)
    model = Model(account).begin(
        {"tool": "Bash", "input": {"command": "echo unasked > made.txt", "description": "make a file"}},
        {"text": "All done"},
    )
    ask(model, "make it", "All done")
    assert (project / "made.txt").read_text() == "unasked\n"


def test_what_the_user_is_and_has_configured_comes_along(account: Account) -> None:
    home, user_config = account.home, account.home / ".claude"
    claude_json(
        account,
        {
            "apiKey": KEY,
            "oauthAccount": {"emailAddress": "me@example.org"},
            "mcpServers": {
                "off": {"command": "/opt/nowhere"},
                "web": {"type": "http", "url": "http://127.0.0.1:1/"},
            },
        },
    )
    (home / ".gitconfig").write_text('[user]\n\tname = Ada \\"Countess\\" L\n\temail = ada@example.org\n')
    (user_config / "commands").mkdir(parents=True)
    (user_config / "CLAUDE.md").write_text("Always mention the KUMQUAT.\n")
    (user_config / "commands" / "greet-me.md").write_text("Greet the user.\n")
    settings: dict[str, Any] = {
        "apiKeyHelper": "/opt/key",
        "statusLine": {"type": "command", "command": "/opt/line"},
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "touch /workspace/app/hooked"}]}]},
        "permissions": {"allow": ["Bash(ls:*)"], "defaultMode": "bypassPermissions"},
        "env": {"TAUGHT_SECRET": "from-settings"},
        "model": 5,
    }
    settings["permissions"]["allow"].append("Bash(")
    (user_config / "settings.json").write_text(json.dumps(settings))
    one, two = account.project("one", CLAUDE__md="see @~/notes.md\n"), account.project("two")
    (account.home / "projects" / "two" / "sub").mkdir()
    (one / ".mcp.json").write_text('{"mcpServers": {"own": {"command": "cat"}}}')
    for root in (one, one / "inner", two):
        subprocess.run(["git", "init", "-q", root], check=True)
    done = account.run("start", "-d", "-a", "claude", one, two, env=BASE)
    assert done.code == 0
    assert sorted(done.err.splitlines()) == [
        "model in ~/.claude/settings.json is not used: Expected string, but received number",
        "of ~/.claude/settings.json these stay on the host: apiKeyHelper, hooks, statusLine",
        (
            "permissions.allow in ~/.claude/settings.json is not used: "
            'Invalid permission rule "Bash(" was skipped: Malformed Tool(content) rule'
        ),
    ]
    model = Model(account).begin({"text": "Noted"})
    assert "/workspace" in ask(model, "hello", "Noted")
    assert "KUMQUAT" in json.dumps(model.turns()[0]["body"])
    assert not (one / "hooked").exists()

    inside = account.inside
    assert inside("default", "git", "config", "user.name") == 'Ada "Countess" L'
    assert inside("default", "git", "-C", "/workspace/one", "config", "user.email") == "ada@example.org"
    own = inside("default", "cat", "/home/agent/.claude/settings.json")
    assert "Bash(ls:*)" in own
    assert not [word for word in ("/opt/", "hooked", "bypassPermissions", "from-settings") if word in own]
    assert (
        inside(
            "default",
            "stat",
            "-c",
            "%a",
            "/home/agent/.claude/CLAUDE.md",
            "/home/agent/.claude/commands/greet-me.md",
        )
        == "444\n444"
    )
    assert "/opt" not in model.ask("! echo $TAUGHT_SECRET", "from-settings")
    assert account.screen()
    inside(
        "default",
        "zellij",
        "--session",
        "default",
        "action",
        "write-chars",
        "--pane-id",
        "terminal_0",
        "/gsd-help",
    )
    model.shown("/gsd-help", "Show available GSD")

    account.ok("stop")
    (user_config / "CLAUDE.md").unlink()
    (user_config / "commands" / "greet-me.md").write_text("Greet twice.\n")
    account.ok("start", "-d", "-n", "default", env=BASE)
    assert inside("default", "cat", "/home/agent/.claude/commands/greet-me.md") == "Greet twice."
    assert (
        account.podman_done("exec", "agent_default", "test", "-e", "/home/agent/.claude/CLAUDE.md").code == 1
    )
    account.ok("stop")
    account.ok("start", "-d", "-n", "default", "--no-user-config", env=BASE)
    model.shown("Noted")  # another container, the same conversation
    assert (
        account.podman_done(
            "exec", "agent_default", "test", "-e", "/home/agent/.claude/commands/greet-me.md"
        ).code
        == 1
    )


UNUSABLE: dict[str, tuple[str | None, str]] = {
    "malformed": ('{"apiKey": ', "~/.claude.json is not used: not valid JSON (line 1)"),
    "empty": ("", "~/.claude.json is not used: empty"),
    "large": (
        "{",
        "~/.claude.json was left out: it has more than 10485760 bytes",
    ),
    "directory": (None, "~/.claude.json was left out: it is not a regular file"),
    "newline": (
        json.dumps({"apiKey": f"{KEY[:30]}\n{KEY[30:]}"}),
        "~/.claude.json holds an API key that is not valid",
    ),
    "readable": (json.dumps({"apiKey": KEY}), "~/.claude.json can be read by other users"),
}


@pytest.mark.parametrize(
    "case",
    [
        case if case in {"malformed", "newline", "readable"} else pytest.param(case, marks=pytest.mark.long)
        for case in UNUSABLE
    ],
)
def test_a_claude_json_that_cannot_be_used_is_said_in_a_line_and_the_session_starts(
    account: Account, case: str
) -> None:
    file = account.home / ".claude.json"
    content, line = UNUSABLE[case]
    account.folder.chmod(0o755)
    account.home.chmod(0o755)
    if content is None:
        file.mkdir()
    else:
        file.write_text(content)
        file.chmod(0o644 if case == "readable" else 0o600)
    if case == "large":
        os.truncate(file, 50_000_000)
    before = file.stat()
    done = account.run("start", "-d", "-a", "claude", cwd=account.project(), env=BASE)
    assert done.code == 0, done
    assert [said for said in done.err.splitlines() if said.startswith(line)], done.err
    assert KEY[:30] not in done.err
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (
        before.st_mtime_ns,
        before.st_ino,
        before.st_mode,
    )
