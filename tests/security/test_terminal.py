"""What runs in a session draws on the terminal that is attached, and does nothing else to it."""

from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = pytest.mark.e2e
EVIL = (
    r"\033]52;c;ZXZpbA==\007\033]2;evil\007\033[21t\033[5i\033Ptmux;\033\033]2;evil\007\033\\\302\235"
    + r"2;evil\007"
)
BELL = r"\033[1;1H\007reached"


def write_to_terminals(account: Account, text: str) -> None:
    """The agent writes past Zellij, to each terminal that is attached."""
    script = f"for t in /dev/pts/[0-9]*; do printf '{text}' >$t; done"
    assert attacks.run(account, ["sh", "-c", script]).code == 0


def title(terminal: Terminal) -> str:
    return terminal._asked("#{pane_title}")


def clipboard(terminal: Terminal) -> str:
    return terminal._asked("#{buffer_sample}")


@pytest.mark.parametrize("way", ["attach", "exec"])
def test_neither_clipboard_nor_title_of_the_terminal_is_the_agents(account: Account, way: str) -> None:
    project: Path = account.project()
    account.ok("start", "-d", "-a", "shell", cwd=project)
    words = ["attach"] if way == "attach" else ["exec", "default", "--", "sh", "-c", "echo here; sleep 1000"]
    with account.window(*words) as window:
        window._tmux("set", "-s", "set-clipboard", "on")
        before = title(window)
        window.wait_for("detaches" if way == "attach" else "here")
        write_to_terminals(account, EVIL + BELL)
        window.wait_for("reached")
        assert (title(window), clipboard(window)) == (before, "")
        account.podman(
            "exec", "agent_default", "pkill", "-f", "^sleep 1000"
        ) if way == "exec" else window.press("C-q")
        window.wait_for_end()


def test_the_clipboard_and_the_title_are_set_where_the_user_lets_them(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    with account.window("attach", "--clipboard") as window:
        window._tmux("set", "-s", "set-clipboard", "on")
        window.wait_for("detaches")
        write_to_terminals(account, r"\033]52;c;bWluZQ==\007\033]2;mine\007")
        until(
            lambda: clipboard(window) == "mine" and title(window) == "mine",
            "both",
            told=lambda: (title(window), clipboard(window)),
        )


def test_colours_links_and_sizes_pass(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    with account.window("attach") as window:
        window.wait_for("detaches")
        window.type(r"printf '\033[38;2;1;2;3mtrue\033[m \033[4mline\033[m\n'; stty size", "Enter")
        window.wait_for("38;2;1;2;3mtrue", escapes=True)
        window.resize(100, 40)
        window.type("clear; until stty size | grep '38 9[8]'; do sleep 0.1; done", "Enter")
        window.wait_for("38 98")
