"""An agent that stops itself, is killed or is interrupted stays at hand;
and a screen is what is there, whoever scrolled.
"""

from collections.abc import Iterator

import pytest

from tests.account import Account
from tests.claude import ENVIRONMENT, Claude, start
from tests.opencode import session_of
from tests.storage import Storage
from tests.waiting import until

CLAUDE = ("pkill", "-KILL", "-x", "claude")


@pytest.fixture(scope="module")
def session(storage: Storage, claude: str) -> Iterator[Claude]:  # noqa: ARG001
    account = Account(storage.path, storage.driver)
    try:
        yield start(account)
    finally:
        account.close()


def claude_pid(session: Claude) -> str:
    return session.account.inside("default", "sh", "-c", "pgrep -x claude || true")


def test_a_claude_that_is_suspended_goes_on_at_once(session: Claude) -> None:
    before = claude_pid(session)
    session.press("Ctrl z")
    session.seen("idle")
    until(
        lambda: "T" not in session.account.inside("default", "ps", "-o", "stat=", "-C", "claude"),
        "Claude to go on",
    )
    session.model.script({"text": "Still here"})
    assert session.ask("are you there?")["text"] == "Still here"
    assert claude_pid(session) == before


def test_an_interrupted_turn_leaves_the_input_clean(session: Claude) -> None:
    session.model.script({"text": "never", "delay": 60}, {"text": "Again"})
    session.begin("take your time")
    session.seen("working")
    session.press("Esc")  # as by hand: Claude puts the prompt back into its input
    session.seen("idle")
    session.account.ok("interrupt")
    session.model.script({"text": "Again"})
    assert session.account.ok("prompt", "--wait", "default", "once more") == "Again\n"
    session.model.script({"text": "never", "delay": 60})
    session.begin("take your time again")
    session.seen("working")
    session.account.ok("interrupt", "default")
    session.seen("idle")
    session.model.script({"text": "And again"})
    assert session.account.ok("prompt", "--wait", "default", "last") == "And again\n"
    session.account.ok("interrupt")


def test_a_killed_claude_comes_back_with_its_conversation_three_times(session: Claude) -> None:
    session.model.script({"text": "A kumquat"})
    session.ask("what is the fruit?")
    for _ in range(3):
        before = claude_pid(session)
        session.account.inside("default", *CLAUDE)
        until(lambda: claude_pid(session) not in {"", before}, "another Claude")  # noqa: B023
        session.seen("idle")
    session.model.script({"text": "The same"})
    assert session.ask("and now?")["text"] == "The same"
    assert "A kumquat" in str(session.model.turns()[-1]["body"]["messages"])
    assert "was killed" in session.account.ok("logs", "default")
    session.account.inside("default", *CLAUDE)
    assert "status 137" in session.seen("failed")["reason"]
    refused = session.account.run("prompt", "default", "hello")
    assert refused.code == 5
    assert "restart default" in refused.err
    session.account.ok("restart", "-d", "default", env=ENVIRONMENT)
    session.seen("idle")
    assert "The same" in session.account.screen()


def test_an_agent_that_has_quit_is_brought_back_by_restart(session: Claude) -> None:
    session.account.tell("default", "/exit")
    session.seen("exited")
    session.account.ok("restart", "-d", "default", env=ENVIRONMENT)
    session.seen("idle")


@pytest.mark.usefixtures("opencode")
def test_a_killed_opencode_comes_back_with_its_conversation(storage: Storage) -> None:
    with session_of(storage) as (account, model):
        model.begin()
        until(lambda: account.state()["value"] == "idle", "OpenCode")
        model.ask("hello there", "echo: hello there")
        until(lambda: account.state()["value"] == "idle", "the turn's end", told=account.state)
        account.inside("default", "pkill", "-KILL", "-f", "^[^ ]*opencode attach ")
        until(lambda: "was killed" in account.ok("logs", "default"), "the end of its terminal")
        until(lambda: account.state()["value"] == "idle", "OpenCode again", told=account.state)
        model.shown("hello there")
        account.ok("interrupt")
        assert account.ok("prompt", "--wait", "default", "again") == "echo: again\n"


def test_a_screen_is_what_is_there_and_not_what_somebody_scrolled_to(bare: Account) -> None:
    bare.ok("start", "-d", "-a", "shell", "-n", "s", cwd=bare.project())
    try:
        bare.ok("send", "s", "seq 500")
        until(lambda: "\n500\n" in bare.ok("screen", "s"), "the numbers")
        with bare.window("attach", "s") as window:
            window.wait_for("500")
            for _ in range(3):
                bare.inside(
                    "s", "zellij", "--session", "s", "action", "page-scroll-up", "--pane-id", "terminal_0"
                )
            window.wait(lambda screen: "\n500\n" not in screen, "an earlier view")
            assert "500" in bare.ok("screen", "s")
            window.wait(lambda screen: "500" not in screen, "the view that was scrolled to")
            window.press("C-q")
            window.wait_for_end()
        bare.ok("send", "s", "--no-enter", "echo NEWEST")
        assert "NEWEST" in bare.ok("screen", "s")
        with bare.window("attach", "s") as window:
            window.wait_for("NEWEST")
    finally:
        bare.ok("stop", "s")
        bare.ok("rm", "-f", "--discard-work", "s")
