"""A login on a terminal can always be left, and leaves nothing behind,
whatever its program makes of keys and signals.
"""

import os
import signal
from collections.abc import Callable

import pytest

from tests.account import Account
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = pytest.mark.podman
AGENT = (
    "title: Stubborn\nenvironment: [STUBBORN_TOKEN]\nlogin: {command: [stubborn-login], "
    'variable: STUBBORN_TOKEN, pattern: "token-[a-z]+"}\n'
)
# As agents' own programs: keys as they come, another screen, and no end but at a token.
LOGIN = """#!/usr/bin/env python3
import os, signal, sys, tty
for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(ignored, signal.SIG_IGN)
tty.setraw(0)
os.write(1, b"\\x1b[?1049h\\x1b[?2004hPaste the code:")
while True:
    if os.read(0, 100) == b"t":
        os.write(1, b"\\x1b[?1049l\\r\\ntoken-abc\\r\\n")
        sys.exit(0)
"""


@pytest.fixture
def stubborn(account: Account) -> Account:
    """An account with an agent whose login program ends for no key and no signal."""
    folder = account.home / ".local/share/agent-session/agents/stubborn"
    (folder / "rootfs/usr/local/bin").mkdir(parents=True)
    (folder / "agent.yaml").write_text(AGENT)
    (folder / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY rootfs/ /\nCMD []\n")
    (folder / "rootfs/usr/local/bin/stubborn-login").write_text(LOGIN)
    account.ok("build", "stubborn", seconds=120)
    return account


def nothing_is_left(account: Account) -> None:
    until(lambda: account.containers() == [], "no container", seconds=30, told=account.containers)
    assert account.podman("secret", "ls", "--format", "{{.Name}}") == ""
    until(lambda: not list((account.runtime / "agent-session").glob("login-*")), "no directory", seconds=30)


def test_ctrl_c_twice_cancels_a_login_whose_program_ignores_it(stubborn: Account) -> None:
    terminal = stubborn.window_of("bash", "--noprofile", "--norc", env={"PS1": "host> "})
    terminal.type("agent-session login stubborn; echo code-$?", "Enter")
    terminal.wait_for("Paste the code:", seconds=40)
    terminal.press("C-c")
    terminal.type("x")
    terminal.press("C-c", "C-c")
    terminal.wait_for(
        "Ctrl-C twice cancels the login", "was cancelled; nothing is stored", "code-130", seconds=40
    )
    nothing_is_left(stubborn)
    terminal.type("echo ty''ped", "Enter")
    terminal.wait_for("typed")
    terminal.type("agent-session login stubborn", "Enter")
    terminal.wait_for("Paste the code:", seconds=40)
    terminal.type("t")
    terminal.wait_for("is logged in", seconds=40)


def by(number: signal.Signals) -> Callable[[Terminal], None]:
    return lambda window: os.kill(window.pid, number)


WAYS: dict[str, Callable[[Terminal], None]] = {
    "SIGTERM": by(signal.SIGTERM),
    "SIGHUP": by(signal.SIGHUP),
    "SIGINT": by(signal.SIGINT),
    "the window closes": Terminal.close,
}


def test_a_login_that_is_told_to_end_leaves_no_container_behind(stubborn: Account) -> None:
    for way in WAYS.values():
        window = stubborn.window("login", "stubborn")
        window.wait_for("Paste the code:", seconds=40)
        way(window)
        nothing_is_left(stubborn)
