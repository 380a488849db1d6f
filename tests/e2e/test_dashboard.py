"""The dashboard on a real terminal, over sessions of a real Podman."""

import pytest

from tests.account import Account

pytestmark = pytest.mark.e2e


def test_agent_session_alone_shows_all_sessions_and_enter_goes_into_one_and_ctrl_q_back(
    account: Account,
) -> None:
    for name in ("api", "web"):
        account.ok("start", "-d", "-a", "shell", "-n", name, account.project(name))
    window = account.window_of("agent-session", columns=80, rows=24)
    window.wait_for("2 sessions", "q Quit", "/workspace/api")
    window.press("j")
    window.wait_for("2 sessions", "/workspace/web")
    window.press("Enter")
    window.wait(lambda shown: "2 sessions" not in shown and "/workspace/web" in shown, "the session alone")
    window.type("echo $((6 * 7))", "Enter")
    window.wait_for("│42 ")
    window.press("C-q")
    window.wait_for("2 sessions", "42")
    window.press("s")
    window.wait_for("s starts it")
    window.press("q")
    assert window.wait_for_end() == 0
    assert account.ok("ls", "--names").split() == ["api", "web"]


def test_a_closed_window_ends_the_dashboard_and_no_session(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "web", account.project())
    window = account.window_of("agent-session", "dash")
    window.wait_for("1 session", "/workspace/app")
    window.close()
    account.wait_for_rest()
    assert account.ok("ls", "--names").split() == ["web"]
