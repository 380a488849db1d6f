"""What Claude Code, the real one, is said to do: right after each change, and no false alarms."""

import pytest

from tests.account import Account
from tests.claude import start
from tests.questions import without_id
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("claude")]

WRITE = {
    "text": "I will",
    "tool": "Write",
    "input": {"file_path": "/workspace/app/made.txt", "content": "made\n"},
}
REMOVE = {"tool": "Bash", "input": {"command": "rm -rf build", "description": "remove it"}}
SLEEP = {"tool": "Bash", "input": {"command": "sleep 4; echo slept", "description": "sleep"}}
QUESTION = {
    "question": "Which colour?",
    "header": "Colour",
    "multiSelect": False,
    "options": [{"label": "Red", "description": "a rose"}, {"label": "Blue", "description": "the sky"}],
}
ASK = {"tool": "AskUserQuestion", "input": {"questions": [QUESTION]}}
PERMISSION = {"kind": "permission", "choices": ["once", "always", "reject"]}


def test_the_state_follows_typing_tools_permissions_and_interruptions(account: Account) -> None:
    claude = start(account)
    first = claude.state()["since"]
    claude.type("a draft")
    claude.model.shown("a draft")
    assert claude.state()["value"] == "idle"
    claude.press("Ctrl u")

    claude.model.script({"text": "Well answered", "pause": 3})
    claude.begin("hello")
    assert claude.seen("working")["since"] > first
    claude.model.shown("Well answered")
    assert claude.seen("idle")["since"] > first

    claude.model.script(WRITE, {"text": "Written"}, REMOVE, REMOVE, REMOVE, SLEEP, {"text": "Slept well"})
    claude.begin("write")
    waiting = claude.seen("waiting", reason="made.txt")
    assert without_id(waiting["question"]) == PERMISSION | {"text": "Write: /workspace/app/made.txt"}
    assert waiting["reason"] == "Write: /workspace/app/made.txt"
    claude.answer("once")
    claude.model.shown("Written")
    granted = claude.seen("idle")
    assert granted["since"] > waiting["since"]
    assert "question" not in granted

    for key in ("", "Esc", "3"):
        claude.begin("remove")
        assert claude.seen("waiting", reason="Bash: rm -rf build")["question"]["kind"] == "permission"
        claude.answer_with_key(key) if key else claude.answer("reject")
        claude.seen("idle")

    claude.begin("sleep")
    claude.seen("working")
    claude.model.shown("Slept well")
    claude.seen("idle")

    for key in ("Esc", "Ctrl c"):
        claude.model.script({"hang": 30})
        claude.begin("hang")
        claude.seen("working")
        claude.press(key)
        claude.seen("idle")
        claude.press("Ctrl c")  # the prompt is in the input again

    claude.model.script(ASK, {"text": "Blue it is"})
    claude.begin("ask me")
    assert without_id(claude.seen("waiting", reason="Which colour?")["question"]) == {
        "kind": "question",
        "text": "Which colour?",
        "choices": ["Red", "Blue"],
    }
    claude.answer("Blue")
    claude.model.shown("Blue it is")
    claude.seen("idle")

    claude.account.tell("default", "/model")
    assert claude.seen("waiting")["question"]["kind"] == "dialog"
    claude.answer("reject")
    claude.seen("idle")


def test_errors_of_the_model_and_ends_are_told_and_only_of_the_first_pane(account: Account) -> None:
    claude = start(account)
    for reply, words in (
        ({"status": 429, "message": "too many"}, "too many"),
        ({"status": 529, "message": "overloaded"}, "overloaded"),
        ({"when": "try", "garbage": True}, "Unrecognized token"),
    ):
        claude.model.script(reply)
        claude.begin("try")
        claude.model.shown(words)
        assert claude.seen("failed", reason=words)["source"] == "Claude's transcript"
    claude.model.script({"text": "Better now"})
    assert claude.ask("again")["text"] == "Better now"
    claude.seen("idle")

    # Another Claude, in a second pane, that asks: the first one's state is the session's.
    claude.model.script({"when": "do it", **REMOVE})
    zellij = ("zellij", "--session", "default", "action")
    pane = account.inside("default", *zellij, "new-pane")
    account.inside("default", *zellij, "write-chars", "--pane-id", pane, "claude 'do it'\n")
    until(
        lambda: '"waiting"' in account.inside("default", "sh", "-c", "cat ~/.claude/sessions/*.json"),
        "the other one's question",
    )
    assert claude.state()["value"] == "idle"

    first = account.inside("default", "pgrep", "-o", "-x", "claude")
    account.inside("default", "kill", "-9", first.strip())
    until(
        lambda: first not in account.inside("default", "sh", "-c", "pgrep -x claude || true").split("\n"),
        "another Claude in the place of the killed one",
    )
    claude.seen("idle")
    account.tell("default", "/exit")
    claude.seen("exited")


def test_what_claude_asks_before_it_begins_is_a_dialog_and_a_missing_login_is_told(account: Account) -> None:
    claude = start(account)
    account.tell("default", "/exit")
    claude.seen("exited")
    account.tell("default", "mkdir -p /tmp/other; cd /tmp/other; claude")
    waiting = claude.seen("waiting")
    assert waiting["question"]["kind"] == "dialog"
    assert "/tmp/other" in waiting["reason"]
    claude.press("Esc")
    claude.seen("exited")
    account.tell("default", "cd /workspace/app; env -u ANTHROPIC_API_KEY /usr/local/lib/claude/claude")
    claude.seen("idle")
    claude.begin("hello")
    assert claude.seen("waiting", reason="Not logged in")["question"]["kind"] == "login"
    claude.begin("hello again")  # it may be logged in by now: only a prompt can tell


def test_what_follows_the_state_is_small_and_asleep(account: Account) -> None:
    claude = start(account)
    claude.model.script(*({"text": f"answer {number}"} for number in range(5)))
    for number in range(5):
        claude.ask(f"prompt {number}")
    follower = account.inside("default", "pgrep", "-f", "agent/state --follow")
    (pss,) = [
        line
        for line in account.inside("default", "cat", f"/proc/{follower}/smaps_rollup").splitlines()
        if line.startswith("Pss:")
    ]
    assert int(pss.split()[1]) <= 7 * 1024
