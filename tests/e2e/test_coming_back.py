"""The main job: start, work, leave, come back, and be in the same screen."""

import os
import re
import signal

import pytest

from tests.account import Account
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = pytest.mark.e2e
PROMPT = "agent@"
COLOURED = re.compile(r"\x1b\[38;2;1;102;203m(\x1b\[[\d;]*m)*coloured")


def clients(account: Account, session: str = "default") -> int:
    """How many terminals Zellij believes to be attached."""
    return int(account.inside(session, "sh", "-c", "pgrep -c -f '^zellij attach' || true"))


def host_shell(account: Account, **options: int) -> Terminal:
    """A window with a shell, as people have."""
    return account.window_of(
        "bash", "--noprofile", "--norc", cwd=account.project(), env={"PS1": "host> "}, **options
    )


def at_the_hosts_prompt(screen: str) -> bool:
    return screen.rstrip().endswith("host>")


def test_a_session_is_started_left_with_ctrl_q_and_found_again_as_it_was(account: Account) -> None:
    terminal = host_shell(account)
    terminal.type("agent-session start -a shell", "Enter")
    terminal.wait_for(PROMPT, "/workspace/app", "Shell · session default · Ctrl q detaches")
    terminal.type("echo marker-$((40 + 2)); touch made-inside", "Enter")
    terminal.wait_for("marker-42")
    terminal.press("C-q")
    terminal.wait(at_the_hosts_prompt, "the host's prompt")
    assert (account.project() / "made-inside").exists()
    assert account.sessions() == {"default": "running"}
    terminal.type("clear; agent-session start", "Enter")
    terminal.wait_for("marker-42", "Ctrl q detaches")
    assert clients(account) == 1


def test_a_closed_window_detaches_and_a_bigger_one_gets_the_same_screen_in_its_own_size(
    account: Account,
) -> None:
    project = account.project()
    window = account.window("start", "-a", "shell", cwd=project, columns=70, rows=20)
    window.wait_for(PROMPT)
    window.type("stty size; echo here-$((1 + 1))", "Enter")
    window.wait_for("18 68", "here-2")
    window.close()
    bigger = account.window("start", cwd=project, columns=120, rows=40)
    bigger.wait_for("18 68", "here-2")
    bigger.type("clear; stty size", "Enter")
    bigger.wait_for("38 118")
    assert clients(account) == 1


def test_a_killed_client_never_keeps_the_session_small(account: Account) -> None:
    project = account.project()
    window = account.window("start", "-a", "shell", cwd=project, columns=50, rows=12)
    window.wait_for(PROMPT)
    os.kill(window.pid, signal.SIGKILL)
    until(lambda: window.ended, "end of the killed client")
    bigger = account.window("attach", cwd=project, columns=100, rows=30)
    bigger.wait_for(PROMPT)
    bigger.type("clear; stty size", "Enter")
    bigger.wait_for("28 98")
    assert clients(account) == 1


def test_a_session_is_found_again_however_many_windows_vanished_before(account: Account) -> None:
    project = account.project()
    window = account.window("start", "-a", "shell", cwd=project)
    window.wait_for(PROMPT)
    window.type("echo still-$((40 + 2))", "Enter")
    window.wait_for("still-42")
    for _ in range(6):
        window.close()
        window = account.window("start", cwd=project)
        window.wait_for("still-42", "Ctrl q detaches")
    until(lambda: clients(account) == 1, "one client", told=lambda: clients(account))


def test_two_terminals_share_one_screen_and_either_may_leave(account: Account) -> None:
    first = account.window("start", "-a", "shell", cwd=account.project())
    first.wait_for(PROMPT)
    second = account.window("attach")
    second.wait_for(PROMPT)
    assert clients(account) == 2
    first.type("echo said-by-first-$((1 + 1))", "Enter")
    second.wait_for("said-by-first-2")
    first.press("C-q")
    assert first.wait_for_end() == 0
    second.type("echo said-by-second-$((1 + 1))", "Enter")
    second.wait_for("said-by-second-2")
    assert clients(account) == 1


def test_ctrl_c_goes_to_the_agent_and_ends_nothing_else(account: Account) -> None:
    terminal = account.window("start", "-a", "shell", cwd=account.project())
    terminal.wait_for(PROMPT)
    terminal.type("echo sle''eps; sleep 99; echo no''thing", "Enter")
    terminal.wait_for("sleeps")
    terminal.press("C-c")
    terminal.wait(lambda screen: screen.count(PROMPT) == 2, "the prompt again")
    assert "nothing" not in terminal.screen()
    terminal.type("echo alive-$((1 + 1))", "Enter")
    terminal.wait_for("alive-2")


def test_every_control_key_but_ctrl_q_reaches_the_agent(account: Account) -> None:
    terminal = account.window("start", "-a", "shell", cwd=account.project())
    terminal.wait_for(PROMPT)
    terminal.type("clear; stty raw -echo; head -c 6 | od -An -tx1; stty sane", "Enter")
    until(lambda: "head" in account.inside("default", "ps", "-eo", "comm"), "a program that reads keys")
    terminal.press("C-p", "C-g", "C-o", "C-t", "C-b", "C-s")
    terminal.wait_for("10 07 0f 14 02 13")


def test_a_resized_window_resizes_the_agents_terminal(account: Account) -> None:
    terminal = account.window("start", "-a", "shell", cwd=account.project())
    terminal.wait_for(PROMPT)
    terminal.resize(101, 31)
    terminal.type("trap 'echo size-now-$(stty size)' WINCH; clear; stty size", "Enter")
    terminal.wait_for("29 99")
    terminal.resize(60, 15)
    terminal.press("Enter")
    terminal.wait_for("size-now-13 58")


def test_a_paste_of_several_lines_is_one_paste(account: Account) -> None:
    terminal = account.window("start", "-a", "shell", cwd=account.project())
    terminal.wait_for(PROMPT)
    terminal.paste("echo one-$((1 + 0))\necho two-$((1 + 1))")
    screen = terminal.wait_for("echo two")
    assert "one-1" not in screen, "the first line was run before the paste was sent off"
    terminal.press("Enter")
    terminal.wait_for("one-1", "two-2")


def test_24_bit_colours_arrive_whatever_the_terminal_calls_itself(account: Account) -> None:
    terminal = account.window("start", "-a", "shell", cwd=account.project())
    terminal.wait_for(PROMPT)
    terminal.type(r"printf '\033[38;2;1;102;203mcoloured\033[0m\n'; echo $TERM-$COLORTERM", "Enter")
    terminal.wait_for("xterm-256color-truecolor")
    for term in ("xterm-256color", "screen", "tmux-256color", "xterm-kitty", "no-such-terminal"):
        terminal.press("C-q")
        assert terminal.wait_for_end() == 0
        terminal = account.window("attach", env={"TERM": term})
        terminal.wait(lambda screen: bool(COLOURED.search(screen)), "the colour", escapes=True)
    bare = account.window_of("env", "-u", "TERM", "-u", "COLORTERM", "agent-session", "attach")
    bare.wait_for("coloured")


def test_names_with_spaces_and_unicode_are_projects_like_any_other(account: Account) -> None:
    project = account.project("größe 数据 app")
    terminal = account.window("start", "-a", "shell", cwd=project, columns=120)
    terminal.wait_for(PROMPT)
    terminal.type("clear; pwd; echo 'schön 完成' > ergebnis.txt; cat ergebnis.txt", "Enter")
    terminal.wait_for("/workspace/größe 数据 app", "schön 完成")
    assert (project / "ergebnis.txt").read_text() == "schön 完成\n"


def test_three_projects_stand_side_by_side(account: Account) -> None:
    projects = [account.project(name) for name in ("frontend", "backend", "shared-libs")]
    terminal = account.window("start", "-a", "shell", "-n", "fullstack", *projects)
    terminal.wait_for(PROMPT, "session fullstack")
    terminal.type("clear; pwd; ls", "Enter")
    terminal.wait_for("│/workspace  ", "backend", "frontend", "shared-libs")


def test_in_a_second_project_a_person_is_asked_and_a_program_is_refused(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project("one"))
    other = account.project("two")
    done = account.run("start", "-d", "-a", "shell", cwd=other)
    assert (done.code, done.out) == (5, "")
    assert "agent-session start -n two" in done.err
    assert "agent-session start -n default" in done.err
    assert account.run("start", "-d", cwd=account.project("one")).code == 0
    terminal = account.window("start", "-a", "shell", cwd=other, columns=120)
    terminal.wait_for(
        "Session 'default' does not contain", "start a new session 'two'", "attach to 'default'"
    )
    terminal.press("Enter")
    terminal.wait_for("session two", PROMPT)
    assert account.sessions() == {"default": "running", "two": "running"}
    terminal = account.window("start", "-a", "shell", cwd=account.project("three"), columns=120)
    terminal.wait_for("start a new session 'three'")
    terminal.press("Down", "Enter")
    terminal.wait_for("session default", PROMPT)
    assert "three" not in account.sessions()


def test_leaving_the_agent_leaves_a_shell_and_leaving_that_ends_the_session(stub_account: Account) -> None:
    account = stub_account
    terminal = account.window("start", "-a", "stub", cwd=account.project())
    terminal.wait_for("stub ready")
    terminal.type("hello", "Enter")
    terminal.wait_for("stub heard: hello")
    terminal.type("quit", "Enter")
    terminal.wait_for("Stub has ended (status 0)", PROMPT)
    terminal.type("exit", "Enter")
    assert terminal.wait_for_end() == 0
    until(lambda: account.sessions() == {"default": "stopped"}, "a stopped session")


def test_stop_gives_attached_terminals_back(account: Account) -> None:
    terminal = account.window("start", "-a", "shell", cwd=account.project())
    terminal.wait_for(PROMPT)
    account.ok("stop")
    terminal.wait_for_end()
    assert account.sessions() == {"default": "stopped"}


def test_attach_never_makes_or_starts_a_session(account: Account) -> None:
    window = account.window("attach")
    assert window.wait_for_end() == 4
    window.wait_for("there is no session yet")
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("stop")
    window = account.window("attach")
    assert window.wait_for_end() == 5
    window.wait_for("agent-session restart default")
    done = account.run("attach", "nope")
    assert done.code == 4
    account.ok("restart", "-d")
    done = account.run("attach")
    assert done.code == 2
    assert "attach needs a terminal" in done.err
