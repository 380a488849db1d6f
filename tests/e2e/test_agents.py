"""The real binaries, and this very repository as the project."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.account import Account
from tests.storage import REPOSITORY

pytestmark = pytest.mark.e2e
# Where Anthropic's servers cannot be reached and nobody says so,
# Claude Code waits 19 s for its managed settings before it shows anything.
NOBODY = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
DIALOGS = (
    "trust the files",
    "Choose the text style",
    "Select login method",
    "Detected a custom API key",
    "auto mode",
    "Settings error",
    "Bypass",
)


def test_claude_is_at_its_prompt_with_nothing_but_a_key_in_the_old_file(
    account: Account,
    claude: str,  # noqa: ARG001
) -> None:
    (account.home / ".claude.json").write_text('{"apiKey": "sk-ant-api03-test0123456789-test0123456789-AA"}')
    (account.home / ".claude.json").chmod(0o600)
    terminal = account.window(
        "start", "-a", "claude", cwd=account.project(), env=NOBODY, columns=110, rows=36
    )
    screen = terminal.wait_for("Claude Code", "Claude · session default · Ctrl q detaches")
    screen = terminal.wait(lambda now: "❯" in now or any(dialog in now for dialog in DIALOGS), "a prompt")
    assert [dialog for dialog in DIALOGS if dialog in screen] == []
    terminal.type("hello from the test")
    terminal.wait_for("hello from the test")
    assert (
        account.home / ".claude.json"
    ).read_text() == '{"apiKey": "sk-ant-api03-test0123456789-test0123456789-AA"}'
    assert account.inside("default", "stat", "-c", "%a", "/home/agent/.claude.json") == "600"


@pytest.mark.usefixtures("claude")
def test_claude_without_any_login_says_so_and_shows_a_screen(account: Account) -> None:
    done = account.run("start", "-d", "-a", "claude", cwd=account.project())
    assert (done.code, done.out) == (0, "default\n")
    assert (
        len(
            [
                line
                for line in done.err.splitlines()
                if "no login for Claude: agent-session login claude" in line
            ]
        )
        == 1
    )
    assert account.screen().strip()


def test_opencode_shows_its_first_screen(account: Account, opencode: str) -> None:  # noqa: ARG001
    terminal = account.window("start", "-a", "opencode", cwd=account.project(), columns=110, rows=36)
    terminal.wait_for("OpenCode · session default · Ctrl q detaches")
    terminal.wait_for("Ask anything")


def test_get_shit_done_is_there(account: Account, claude: str) -> None:  # noqa: ARG001
    account.ok("start", "-d", "-a", "claude", cwd=account.project())
    assert "gsd" in account.inside("default", "sh", "-c", "ls -R ~/.claude | grep -i gsd | head -3")


def test_agents_tells_which_are_ready(account: Account, claude: str) -> None:
    listed = {agent["name"]: agent for agent in json.loads(account.ok("agents", "--json"))}
    assert set(listed) >= {"claude", "opencode", "shell"}
    assert listed["claude"]["built"]
    assert listed["claude"]["image"] == claude
    assert not any(credential["found"] for credential in listed["claude"]["credentials"])
    keyed = {
        agent["name"]: agent
        for agent in json.loads(account.ok("agents", "--json", env={"ANTHROPIC_API_KEY": "sk"}))
    }
    assert any(credential["found"] for credential in keyed["claude"]["credentials"])


def test_building_what_is_built_takes_no_step_and_prints_its_name(account: Account, shell: str) -> None:
    done = account.run("build", "shell")
    assert (done.code, done.out) == (0, f"{shell}\n")
    assert "STEP" not in done.err


def test_this_repository_is_worked_on_in_a_session(account: Account) -> None:
    project = account.home / "agent-session"
    copied = ["Makefile", "agent-session", "pyproject.toml", "README.md", "src", "images", "tests", "scripts"]
    project.mkdir()
    subprocess.run(["cp", "-r", *(str(REPOSITORY / name) for name in copied), str(project)], check=True)
    git = ("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "Begin")):
        subprocess.run([*git, *command], cwd=project, env=account.environment, check=True)
    terminal = account.window("start", "-a", "shell", cwd=project, columns=120, rows=30)
    terminal.wait_for("agent@", "/workspace/agent-session")
    terminal.type(
        "clear; sed -i 's/^# What to do.*/# Edited in a session/' Makefile && "
        "python3 -m compileall -q src/agent_session && git diff --stat",
        "Enter",
    )
    terminal.wait_for("Makefile | 2 +-", "1 file changed")
    edited = project / "Makefile"
    assert edited.read_text().startswith("# Edited in a session\n")
    assert (edited.stat().st_uid, edited.stat().st_gid) == (os.getuid(), os.getgid())
    terminal.type(
        "clear; git -c user.name=A -c user.email=a@example.org commit -qam 'Edit in "
        "a session' && git log --oneline | cat",
        "Enter",
    )
    terminal.wait_for("Edit in a session", "Begin")
    log = subprocess.run(
        ["git", "log", "--format=%s"],
        cwd=project,
        env=account.environment,
        text=True,
        capture_output=True,
        check=True,
    )
    assert log.stdout.split("\n")[:2] == ["Edit in a session", "Begin"]
    assert {path.stat().st_uid for path in project.rglob("*") if not path.is_symlink()} == {os.getuid()}


def test_the_wheel_carries_the_agents(account: Account, tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, REPOSITORY],
        text=True,
        capture_output=True,
        check=False,
    )
    if built.returncode:
        pytest.fail(
            f"the wheel cannot be built: "
            f"{built.stdout[-2000:]}{built.stderr[-2000:]}\nhint: scripts/setup --dev"
        )
    [wheel] = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel],
        check=True,
    )
    listed = subprocess.run(
        [sys.executable, "-m", "agent_session", "agents", "--json"],
        env=account.environment | {"PYTHONPATH": str(target)},
        cwd=account.home,
        text=True,
        capture_output=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    agents = json.loads(listed.stdout)
    assert {agent["name"] for agent in agents} >= {"claude", "opencode", "shell"}
    assert all(agent["folder"].startswith(str(target)) for agent in agents)
    assert all(
        re.fullmatch(r"localhost/agent-session-[a-z]+:[0-9a-f]{16}", agent["image"]) for agent in agents
    )
    shell = next(agent for agent in agents if agent["name"] == "shell")
    assert shell["built"], "it is the same image as the checkout's"
