"""exec and screen on a real terminal."""

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.e2e


def test_exec_gives_the_command_this_terminal(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project(README="hello"))
    terminal = account.window("exec", "default", "--", "bash", "--norc", columns=71, rows=19)
    terminal.wait_for("bash-")
    terminal.type("stty size; tty; pwd; echo $TERM $TZ", "Enter")
    terminal.wait_for("19 71", "/dev/pts/", "/workspace/app", "xterm-256color Europe/Vienna")
    terminal.type("echo sle''eps; sleep 99", "Enter")
    terminal.wait_for("sleeps")
    terminal.press("C-c")
    terminal.resize(80, 24)
    terminal.type("stty size; exit 37", "Enter")
    assert terminal.wait_for_end() == 37
    terminal.wait_for("24 80")
    assert account.sessions() == {"default": "running"}


@pytest.mark.parametrize("term", ["no-such-terminal", "xterm-kitty"])
def test_exec_repairs_a_terminal_nobody_here_knows(account: Account, term: str) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    terminal = account.window(
        "exec",
        "default",
        "--",
        "sh",
        "-c",
        "tput cols; echo known; read answer",
        env={"TERM": term},
        columns=66,
    )
    terminal.wait_for("66", "known")


def test_screen_has_colours_on_a_terminal_only(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("send", "default", r"clear; printf '\033[38;2;1;102;203mcoloured\033[0m\n'")
    until(lambda: "\ncoloured" in f"\n{account.ok('screen', 'default')}", "the word")
    account.window("screen", "default").wait_for("38;2;1;102;203m", "coloured", escapes=True)
    plain = account.window("screen", "default", env={"NO_COLOR": "1"}).wait_for("coloured", escapes=True)
    assert "38;2" not in plain
