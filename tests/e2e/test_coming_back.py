"""The main job: start, work, leave, come back, and be in the same screen."""

import pytest

from tests.account import Account

pytestmark = pytest.mark.e2e


def test_a_session_is_started_left_with_ctrl_q_and_found_again_as_it_was(account: Account) -> None:
    project = account.project("app")
    terminal = account.window_of("bash", "--noprofile", "--norc", cwd=project, env={"PS1": "host> "})
    terminal.type(f"{account.launcher} start -a shell", "Enter")
    terminal.wait_for("agent@", "Ctrl q detaches", "session default", "/workspace/app")
    terminal.type("echo marker-$((40 + 2)); touch made-inside", "Enter")
    terminal.wait_for("marker-42")
    terminal.press("C-q")
    terminal.wait(lambda screen: screen.rstrip().endswith("host>"), "the host's prompt")
    assert (project / "made-inside").exists()
    assert account.sessions() == {"default": "running"}
    terminal.type("clear", "Enter")
    terminal.type(f"{account.launcher} start", "Enter")
    terminal.wait_for("marker-42", "Ctrl q detaches")
