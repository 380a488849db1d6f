"""chat on a real terminal, with the stub, whose words say what it does."""

import pytest

from tests.account import Account
from tests.waiting import TIMEOUT, until

pytestmark = pytest.mark.e2e


@pytest.fixture
def web(stub_account: Account) -> Account:
    """An account in which a stub is the session "web"."""
    stub_account.ok("start", "-d", "-a", "stub", "-n", "web", cwd=stub_account.project())
    return stub_account


def state(account: Account) -> str:
    return account.ok("wait", "--until", "idle,working,waiting,failed", "--timeout", TIMEOUT, "web").split()[
        1
    ]


def test_a_conversation_from_its_history_to_its_end(web: Account) -> None:
    web.ok("prompt", "--wait", "web", "said before")
    terminal = web.window("chat", "web", columns=100, rows=40)
    terminal.wait_for("> said before\nstub heard: said before\n", "Ctrl-D or exit leaves")
    terminal.type("hellp", "BSpace")
    terminal.type("o", "Left", "Left", "Left", "Left", "Left")
    terminal.type("well, ", "Enter")
    terminal.wait_for("stub heard: well, hello\n>")
    terminal.type("tool make test", "Enter")
    terminal.wait_for("let me see\n* Bash: make test\ndid make test\n>")
    terminal.paste("pasted\nin lines")
    terminal.press("Enter")
    terminal.wait_for("stub heard: pasted\nin lines\n>")
    terminal.type("goes on \\", "Enter")
    terminal.wait_for("> goes on \\\n.")
    terminal.type("here", "Enter")
    terminal.wait_for("stub heard: goes on\nhere\n>")
    terminal.type("fail the model is gone", "Enter")
    terminal.wait_for(
        "error: the turn of session 'web' failed: the model is gone\nhint: agent-session screen web\n>"
    )
    terminal.type("mute", "Enter")
    terminal.wait_for("stub heard: mute\n>")
    terminal.press("Up", "Enter")
    until(
        lambda: terminal.screen().count("stub heard: mute\n>") == 2,
        "the last line again",
        told=terminal.screen,
    )
    assert "did make test" in web.screen("web")
    terminal.press("C-d")
    assert terminal.wait_for_end() == 0
    assert state(web) == "idle"


def test_questions_are_asked_here(web: Account) -> None:
    terminal = web.window("chat", "web", columns=100, rows=40)
    terminal.wait_for("stays.\n>")
    terminal.type("ask make", "Enter")
    terminal.wait_for("Bash: make\n  1. once\n  2. always\n  3. reject\nanswer:")
    terminal.type("1", "Enter")
    terminal.wait_for("* Bash: make\ndid make\n>")
    terminal.type("choose Red,Green", "Enter")
    terminal.wait_for("2. Green", "answer:")
    terminal.type("neither", "Enter")
    terminal.wait_for("chose neither\n>")
    terminal.type("ask more", "Enter")
    terminal.wait_for("Bash: more\n  1. once")
    terminal.press("C-c")
    terminal.wait_for("(aborted)\n>")
    assert state(web) == "idle"
    terminal.type("exit", "Enter")
    assert terminal.wait_for_end() == 0


def test_a_question_that_was_there_before_is_asked_first(web: Account) -> None:
    web.run("prompt", "--wait", "web", "ask make")
    terminal = web.window("chat", "web", columns=100, rows=40)
    terminal.wait_for("Bash: make\n  1. once", "answer:")
    terminal.type("always", "Enter")
    terminal.wait_for("did make\n>")
    terminal.type("ask make", "Enter")
    until(lambda: terminal.screen().count("did make\n>") == 2, "what is always allowed", told=terminal.screen)


def test_ctrl_c_ends_the_turn_and_a_second_one_the_chat(web: Account) -> None:
    terminal = web.window("chat", "web", columns=100, rows=40)
    terminal.wait_for("stays.\n>")
    terminal.type("slow 60", "Enter")
    terminal.wait_for("..")
    terminal.press("C-c")
    terminal.wait_for("(aborted)\n>")
    assert state(web) == "idle"
    terminal.type("half a lin")
    terminal.wait_for("> half a lin")
    terminal.press("C-c")
    terminal.wait_for("Press Ctrl-C again, or Ctrl-D, or type exit to leave\n>")
    terminal.type("and on", "Enter")
    terminal.wait_for("stub heard: and on\n>")
    terminal.press("C-c")
    until(lambda: terminal.screen().count("Ctrl-C again") == 2, "the warning", told=terminal.screen)
    terminal.press("C-c")
    assert terminal.wait_for_end() == 130
    assert web.sessions() == {"web": "running"}


def test_one_message_is_one_turn_and_its_exit_code(web: Account) -> None:
    terminal = web.window("chat", "web", "tool make", columns=100)
    assert terminal.wait_for_end() == 0
    assert "let me see\n* Bash: make\ndid make" in terminal.screen()
    assert web.window("chat", "web", "fail so").wait_for_end() == 10


def test_colours_are_for_who_wants_them_and_never_the_agents(web: Account) -> None:
    terminal = web.window("chat", "web", "escape")
    assert terminal.wait_for_end() == 0
    assert "red\nend" not in terminal.screen(escapes=True)
    assert "\x1b[31m" not in terminal.screen(escapes=True)
    assert "31mredend" in terminal.screen()
    coloured = web.window("chat", "web")
    assert "\x1b[2m" in coloured.wait_for("Ctrl-D or exit leaves", escapes=True)
    plain = web.window("chat", "web", env={"NO_COLOR": "1"})
    assert "\x1b[2m" not in plain.wait_for("Ctrl-D or exit leaves", escapes=True)


def test_a_session_that_stops_ends_the_chat(web: Account) -> None:
    terminal = web.window("chat", "web", columns=100)
    terminal.wait_for("stays.\n>")
    web.ok("stop", "web")
    terminal.type("hello", "Enter")
    assert terminal.wait_for_end() == 5
    assert "session 'web' is stopped" in terminal.screen()
