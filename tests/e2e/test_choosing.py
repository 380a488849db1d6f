"""Questions: which agent, build it now, remove it. Asked on a terminal only, and Ctrl-C is Ctrl-C."""

import contextlib
import json
import os
from pathlib import Path

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.e2e
NAP = f"61.{os.getpid()}"
"""Seconds that no other test sleeps: its processes are looked for on the whole machine."""
QUESTION = "Select agent (default: claude)"


def test_the_picker_tells_what_is_ready_and_a_number_chooses(account: Account) -> None:
    account.agent("unbuilt", yaml="title: Unbuilt One\n")
    listed = json.loads(account.ok("agents", "--json"))
    number = [agent["name"] for agent in listed].index("shell") + 1
    terminal = account.window("start", cwd=account.project())
    terminal.wait_for(QUESTION, f"{number}) Shell (ready)", "Unbuilt One (not built)")
    terminal.type("nonsense")
    terminal.type(str(number), "Enter")
    terminal.wait_for("Shell · session default", "agent@")
    assert json.loads(account.ok("ls", "--json"))[0]["agent"] == "shell"


def test_the_arrow_keys_choose_an_agent_and_the_choice_is_shown(account: Account) -> None:
    account.agent("zz-last", yaml="title: Last One\n")
    terminal = account.window("start", cwd=account.project())
    terminal.wait_for(QUESTION, "Last One (not built)")
    terminal.press("Up")
    terminal.press("Enter")
    screen = terminal.wait_for("Image not built. Build now?")
    assert "Last One" in screen
    terminal.type("n")
    assert terminal.wait_for_end() == 1


def test_enter_takes_claude(account: Account, claude: str) -> None:
    terminal = account.window("start", cwd=account.project())
    terminal.wait_for(QUESTION)
    terminal.press("Enter")
    terminal.wait_for("session default")
    assert [(s["agent"], s["image"]) for s in json.loads(account.ok("ls", "--json"))] == [("claude", claude)]


def test_ctrl_c_at_the_picker_leaves_and_makes_nothing(account: Account) -> None:
    terminal = account.window("start", cwd=account.project())
    terminal.wait_for(QUESTION)
    terminal.press("C-c")
    assert terminal.wait_for_end() == 130
    assert "Traceback" not in terminal.screen()
    assert account.containers() == []
    assert account.volumes() == []


@pytest.mark.parametrize("how", ["flag", "variable", "configuration"])
def test_whoever_has_chosen_is_not_asked(account: Account, how: str) -> None:
    flags = ["-a", "shell"] if how == "flag" else []
    if how == "configuration":
        (account.home / ".config" / "agent-session").mkdir()
        (account.home / ".config" / "agent-session" / "config.yaml").write_text("agent: shell\n")
    terminal = account.window(
        "start",
        *flags,
        cwd=account.project(),
        env={"AGENT_SESSION_AGENT": "shell"} if how == "variable" else None,
    )
    terminal.wait_for("Shell · session default")


def test_a_missing_image_is_offered_to_be_built(account: Account) -> None:
    account.agent("mini", yaml="title: Mini\n")
    project = account.project()
    terminal = account.window("start", "-a", "mini", cwd=project)
    terminal.wait_for("Image not built. Build now?")
    terminal.type("n")
    assert terminal.wait_for_end() == 1
    terminal.wait_for("agent-session build mini")
    assert account.containers() == []
    terminal = account.window("start", "-a", "mini", cwd=project)
    terminal.wait_for("Image not built. Build now?")
    terminal.type("y")
    terminal.wait_for("Mini · session default", "agent@")


def test_ctrl_c_at_the_build_question_makes_nothing(account: Account) -> None:
    account.agent("mini")
    terminal = account.window("start", "-a", "mini", cwd=account.project())
    terminal.wait_for("Image not built. Build now?")
    terminal.press("C-c")
    assert terminal.wait_for_end() == 130
    assert account.containers() == []


def test_a_build_shows_where_it_is_and_ctrl_c_leaves_nothing_of_it(account: Account) -> None:
    account.agent("slow", f"RUN sleep {NAP}; : {'a step as long as those of the base image; ' * 20}")
    terminal = account.window("start", "--build", "-a", "slow", cwd=account.project(), columns=120)
    terminal.wait_for("Building Test", f"sleep {NAP}")
    assert sum("a step as long" in line for line in terminal.screen().splitlines()) == 1
    until(lambda: running(NAP), "the build's step")
    terminal.press("C-c")
    assert terminal.wait_for_end() == 130
    assert "Traceback" not in terminal.screen()
    account.wait_for_rest()
    until(lambda: not running(NAP), "end of the build's step")
    assert account.podman("ps", "--all", "--external", "--quiet") == ""
    assert account.volumes() == []


def running(argument: str) -> list[str]:
    """Processes of this machine, in containers too, that have this argument."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument.encode() in file.read_bytes().split(b"\0"):
                found.append(file.parent.name)
    return found


def test_rm_asks_and_no_is_the_default(account: Account) -> None:
    project = account.project(keep="precious")
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.ok("stop")
    for answer in ("Enter", "n"):
        terminal = account.window("rm", "default")
        terminal.wait_for("Remove 'default'")
        terminal.press(answer)
        assert terminal.wait_for_end() == 1
        assert account.sessions() == {"default": "stopped"}
    terminal = account.window("rm", "default")
    terminal.wait_for("Remove 'default'")
    terminal.press("C-c")
    assert terminal.wait_for_end() == 130
    assert account.sessions() == {"default": "stopped"}
    terminal = account.window("rm", "default")
    terminal.wait_for("Remove 'default'")
    terminal.press("y")
    assert terminal.wait_for_end() == 0
    assert account.sessions() == {}
    assert account.volumes() == []
    assert (project / "keep").read_text() == "precious"


def test_ls_is_coloured_on_a_terminal_and_nowhere_else(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", "-n", "awake", cwd=project)
    account.ok("start", "-d", "-a", "shell", "-n", "asleep", cwd=project)
    account.ok("stop", "asleep")
    screen = account.window("ls", columns=140).wait_for("awake", "asleep", escapes=True)
    assert "\x1b[32mrunning" in screen
    assert "\x1b[31mstopped" in screen
    plain = account.window("ls", columns=140, env={"NO_COLOR": "1"}).wait_for("awake", escapes=True)
    assert "\x1b[32m" not in plain
    piped = account.ok("ls")
    assert "\x1b" not in piped
    assert [line.split()[:3] for line in piped.splitlines()] == [
        ["NAME", "AGENT", "STATUS"],
        ["asleep", "shell", "stopped"],
        ["awake", "shell", "running"],
    ]
