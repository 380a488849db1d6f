"""Leaving a session: with which key, in whose terminal, and what is told then."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_session.host import paths
from tests.account import Account
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = pytest.mark.e2e
PROMPT = "agent@"
DETACHED = "[detached from web; Shell goes on; back: agent-session attach web]"
PATIENCE = 40


@pytest.fixture
def session(account: Account) -> Account:
    """An account with a running session `web`."""
    account.ok("start", "-d", "-a", "shell", "-n", "web", account.project())
    return account


def host_shell(account: Account, **env: str) -> Terminal:
    return account.window_of("bash", "--noprofile", "--norc", env={"PS1": "host> ", **env}, columns=100)


def at_the_prompt(screen: str) -> bool:
    return screen.rstrip().endswith("host>")


def zellij(account: Account) -> Path:
    """A copy of the Zellij that goes into images, as the user's own."""
    found = [
        file
        for folder in paths.cache_folders()
        for file in folder.glob("zellij-*")
        if os.access(file, os.X_OK)
    ]
    assert found, "no Zellij in the caches: agent-session build shell"
    copy = account.home / ".local" / "bin" / "zellij"
    shutil.copyfile(found[0], copy)
    copy.chmod(0o755)
    return copy


def leave(terminal: Terminal, key: str, left: Callable[[], bool]) -> None:
    """Press a key that has just been bound until it works:
    Zellij looks at its file each second, a busy one later.
    """

    def has_left() -> bool:
        if not left():
            terminal.press(key)
            with contextlib.suppress(pytest.fail.Exception):
                until(left, "the effect of the key", seconds=3)
        return left()

    until(has_left, f"the effect of {key}", told=terminal.screen)


def test_who_detaches_is_told_how_to_come_back_right_below_what_was_typed(session: Account) -> None:
    terminal = host_shell(session)
    terminal.type("echo before; agent-session attach web", "Enter")
    terminal.wait_for(PROMPT, "Ctrl q detaches")
    terminal.press("C-q")
    screen = terminal.wait(at_the_prompt, "the host's prompt")
    lines = [line.rstrip() for line in screen.splitlines() if line.strip()]
    assert lines[-3:] == ["before", DETACHED, "host>"]
    assert screen.rstrip("\n").count("\n") < 8, "empty lines above or between"
    assert "Bye" not in screen
    terminal.type("agent-session -q attach web", "Enter")
    terminal.wait_for(PROMPT, "Ctrl q detaches")
    terminal.press("C-q")
    assert terminal.wait(at_the_prompt, "the host's prompt").count("detached from") == 1


def test_a_full_screen_keeps_its_last_lines_when_somebody_detaches(session: Account) -> None:
    terminal = host_shell(session)
    terminal.type("seq 100; agent-session attach web", "Enter")
    terminal.wait_for(PROMPT)
    terminal.press("C-q")
    screen = terminal.wait(at_the_prompt, "the host's prompt")
    lines = [line.rstrip() for line in screen.splitlines() if line.strip()]
    assert lines[-3:] == ["100", DETACHED, "host>"]


def test_who_ends_the_session_is_told_that_it_has_ended(session: Account) -> None:
    terminal = host_shell(session)
    terminal.type("agent-session attach web", "Enter")
    terminal.wait_for(PROMPT)
    terminal.type("exit", "Enter")
    terminal.wait_for("[session web has ended; start it again: agent-session restart web]", "host>")
    assert "detached" not in terminal.screen()


def test_who_is_attached_when_a_session_is_stopped_is_told_so(session: Account) -> None:
    terminal = host_shell(session)
    terminal.type("agent-session attach web", "Enter")
    terminal.wait_for(PROMPT)
    session.ok("stop", "web")
    terminal.wait_for("[session web has ended; start it again: agent-session restart web]", "host>")


@pytest.mark.long  # a new key takes a second or two to work, and a busy machine longer
@pytest.mark.parametrize(
    ("key", "title", "press"),
    [
        ("Ctrl ]", "Ctrl ]", "C-]"),
        ("f12", "F12", "F12"),
        ("alt-x", "Alt x", "M-x"),
        ("C-M-q", "Ctrl Alt q", "M-C-q"),
    ],
)
def test_the_key_can_be_chosen_and_the_frame_tells_it(
    session: Account, key: str, title: str, press: str
) -> None:
    terminal = session.window("attach", "--detach-key", key, "web", columns=100)
    terminal.wait_for(PROMPT, f"session web · {title} detaches", seconds=PATIENCE)
    leave(terminal, press, lambda: terminal.ended)
    assert session.sessions() == {"web": "running"}
    again = session.window("attach", "--detach-key", key, "web", columns=100)
    again.wait_for(PROMPT, f"session web · {title} detaches", seconds=PATIENCE)
    again.press("C-c")  # what the shell got of the key before it was bound goes
    again.press("C-q")
    again.type("echo still-$((40 + 2))", "Enter")
    again.wait_for("still-42")
    again.press(press)
    assert again.wait_for_end() == 0
    usual = session.window("attach", "web", columns=100)
    usual.wait_for("session web · Ctrl q detaches", seconds=PATIENCE)
    leave(usual, "C-q", lambda: usual.ended)


@pytest.mark.long  # a new key takes a second or two to work, and a busy machine longer
def test_each_of_two_terminals_leaves_with_its_own_key(session: Account) -> None:
    first = session.window("attach", "web", columns=160)
    first.wait_for(PROMPT)
    second = session.window_of(
        "env", "AGENT_SESSION_DETACH_KEY=ctrl-]", "agent-session", "attach", "web", columns=160
    )
    second.wait_for(PROMPT, "Ctrl q or Ctrl ] detaches", seconds=PATIENCE)
    leave(second, "C-]", lambda: second.ended)
    assert not first.ended
    first.press("C-q")
    assert first.wait_for_end() == 0


@pytest.mark.parametrize("preset", ["default", "unlock-first"])
def test_the_users_own_zellij_survives_when_he_leaves_a_session_in_it(session: Account, preset: str) -> None:
    configuration = session.home / "zellij.kdl"
    mode = 'default_mode "locked"\n' if preset == "unlock-first" else ""
    configuration.write_text(f"show_startup_tips false\nshow_release_notes false\n{mode}")
    own = {"ZELLIJ_SOCKET_DIR": str(session.runtime / "z"), "SHELL": "/bin/bash", "PS1": "host> "}
    (session.runtime / "z").mkdir()
    terminal = session.window_of(
        zellij(session), "--config", configuration, "-s", "host", env=own, columns=110, rows=30
    )
    terminal.wait_for("host", seconds=PATIENCE)
    terminal.type("agent-session attach web", "Enter")
    terminal.wait_for(PROMPT, "session web · Ctrl ] detaches", seconds=PATIENCE)
    leave(terminal, "C-]", lambda: "[detached from web; Shell goes on" in terminal.screen())
    time.sleep(1)  # bash throws away what is typed while Zellij still reads
    terminal.type("echo own-$((40 + 2))", "Enter")
    terminal.wait_for(
        "own-42", "your Zellij, in which this terminal is, takes Ctrl q itself, so here Ctrl ] detaches"
    )
    assert session.sessions() == {"web": "running"}
    terminal.type("exit", "Enter")
    terminal.wait_for_end()


@pytest.mark.long  # a new key takes a second or two to work, and a busy machine longer
def test_in_vs_codes_terminal_the_key_is_one_that_it_passes_on(session: Account) -> None:
    terminal = host_shell(session, TERM_PROGRAM="vscode")
    terminal.type("agent-session attach web", "Enter")
    terminal.wait_for(PROMPT, "Ctrl ] detaches", seconds=PATIENCE)
    leave(terminal, "C-]", lambda: DETACHED in terminal.screen())
    terminal.wait_for("VS Code takes Ctrl q itself, so here Ctrl ] detaches", DETACHED)


def test_a_session_whose_zellij_does_not_answer_is_given_up_with_the_way_on(session: Account) -> None:
    session.inside("web", "pkill", "-STOP", "-f", "zellij --server")
    terminal = host_shell(session)
    terminal.type("agent-session attach web; echo code-$?", "Enter")
    terminal.wait_for("error: session 'web' does not answer", "hint: agent-session stop web", "code-9")
    session.ok("stop", "web")
    session.ok("restart", "-d", "web")
    assert session.sessions() == {"web": "running"}


def test_a_window_that_closes_leaves_no_key_behind(session: Account) -> None:
    window = session.window("attach", "--detach-key", "F12", "web", columns=100)
    window.wait_for(PROMPT, "F12 detaches", seconds=PATIENCE)
    os.kill(window.pid, signal.SIGKILL)
    until(lambda: window.ended, "end of the killed client")
    usual = session.window("attach", "web", columns=100)
    usual.wait_for(PROMPT, "session web · Ctrl q detaches", seconds=PATIENCE)
