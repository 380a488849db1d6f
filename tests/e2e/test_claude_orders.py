"""Prompts, answers, an end to a turn, models and history of Claude Code, the real one,
against a scripted model.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.account import Account
from tests.claude import Claude, start
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("claude")]

AS_WRITTEN = {
    "lines, quotes and a tab": "first 'line'\n\n\t\"second\" $(touch no) `touch no` \\n\n  third",
    "a command of Claude's": "/exit",
    "a command with arguments": "/model haiku",
    "a path": "/workspace/app is where you are",
    "a shell command": "!touch no",
    "a file": "@README.md says what?",
    "a memory": "# remember this",
    "a background task": "& run",
    "a question mark": "?",
    "a dash": "--help",
    "the word that ends it": "exit",
    "spaces around": "  lead and trail \n\n",
    "other letters": "Grüße, e\u0301, 日本語, 👩\u200d👩\u200d👧, \u05e9\u05dc\u05d5\u05dd",
    "what looks like a placeholder": "[Pasted text #1 +2 lines] [Image #1]",
}
DANGEROUS = ("lines, quotes and a tab", "a command of Claude's", "a shell command", "the word that ends it")
QUESTION = {"question": "Which colour?", "header": "Colour", "multiSelect": False}
OPTIONS = [{"label": "Red", "description": "a rose"}, {"label": "Blue", "description": "the sky"}]
ASK = {"tool": "AskUserQuestion", "input": {"questions": [QUESTION | {"options": OPTIONS}]}}
MUCH = [
    QUESTION | {"options": OPTIONS},
    QUESTION | {"question": "Which ones?", "options": OPTIONS, "multiSelect": True},
]
ASK_MUCH = {"tool": "AskUserQuestion", "input": {"questions": MUCH}}


def bash(command: str) -> dict[str, object]:
    return {"text": "I run it", "tool": "Bash", "input": {"command": command, "description": "run it"}}


def made(claude: Claude) -> set[str]:
    return {path.name for path in claude.project.iterdir()}


@pytest.mark.parametrize("written", [DANGEROUS, pytest.param(tuple(AS_WRITTEN), marks=pytest.mark.long)])
def test_a_prompt_arrives_as_it_was_written(account: Account, written: tuple[str, ...]) -> None:
    claude = start(account)
    (claude.project / "README.md").write_text("read me\n")
    for name in written:
        text = AS_WRITTEN[name]
        claude.model.script({"text": f"Got {name}"})
        end = claude.ask(text)
        assert (end["text"], end["state"]["value"]) == (f"Got {name}", "idle")
        assert claude.prompts() == [text], name
    large = "/start é\n" + "a line of a large text, of which there are many\n" * 20_000 + "\tend "
    claude.model.script({"text": "Got it all"})
    assert claude.ask(large)["text"] == "Got it all"
    assert claude.prompts() == [large]
    claude.model.script({"text": "Harmless"})
    claude.ask("\x1b[201~\x1b]0;title\x07\x03\x04 and \x00 \r\n done")
    assert claude.prompts() == ["␛[201~␛]0;title␇␃␄ and ␀ \n done"]
    assert "no" not in made(claude)
    # What was put into Claude's history to get there is not there twice.
    history = [
        json.loads(line)
        for line in account.inside("default", "cat", "/home/agent/.claude/history.jsonl").splitlines()
    ]
    assert len(history) == len(written) + 2


def test_a_turn_is_told_as_it_goes_and_its_answer_whole(account: Account) -> None:
    claude = start(account)
    claude.model.script(bash("echo one"), bash("echo two"), {"big": 5_000_000})
    code, events = claude.order("prompt", "--follow", stdin="run both")
    assert code == 0
    assert [event["type"] for event in events] == ["turn", "text", "tool", "text", "tool", "text", "end"]
    end = events[-1]
    assert len(end["text"]) == 5_000_000
    assert [tool["input"]["command"] for tool in end["tools"]] == ["echo one", "echo two"]
    assert end["usage"]["output_tokens"] == 21
    assert end["duration_s"] > 0
    assert end["state"]["value"] == "idle"

    claude.model.script({"status": 529, "message": "overloaded"})
    end = claude.ask("and now")
    assert (end["text"], end["state"]["value"]) == ("", "failed")
    claude.model.script({"hang": 30})
    error = claude.refused("prompt", "--follow", "--timeout", "2", stdin="wait for it")
    assert (error["kind"], error["state"]["value"]) == ("timeout", "working")
    assert claude.refused("prompt", stdin="me too")["state"]["value"] == "working"
    assert claude.order("abort") == (0, [{}])
    assert claude.state()["value"] == "idle"

    claude.model.script({"text": "Still here"})
    assert claude.ask("are you there?")["text"] == "Still here"  # what the abort put back was taken away
    assert claude.prompts()[-1].endswith("are you there?")

    code, (told,) = claude.order("history")
    said = [(entry["role"], entry["text"][:20]) for entry in told["entries"]]
    assert said[:2] == [("user", "run both"), ("assistant", "I run it")]
    assert said[-2:] == [("user", "are you there?"), ("assistant", "Still here")]
    assert ("user", "wait for it") not in said
    assert told["entries"][1]["tools"] == [{"name": "Bash", "input": bash("echo one")["input"]}]
    assert claude.order("history", "--limit", "1") == (0, [{"entries": told["entries"][-1:]}])


def test_a_prompt_is_never_put_where_it_does_not_belong(account: Account) -> None:
    claude = start(account)
    claude.type("half a thought")
    claude.model.shown("half a thought")
    assert (
        claude.refused("prompt", stdin="hello")["message"]
        == "there is text in Claude's input that nobody has sent"
    )
    claude.press("Ctrl u")
    claude.press("Ctrl r")
    claude.model.shown("history")
    assert "something else" in claude.refused("prompt", stdin="hello")["message"]
    claude.press("Esc")
    assert claude.refused("prompt", stdin=" \n")["kind"] == "usage"

    claude.model.script(bash("python3 -c 1"))
    assert claude.ask("run it")["state"]["question"]["text"] == "Bash: python3 -c 1"
    assert claude.refused("prompt", stdin="1")["state"]["value"] == "waiting"
    claude.answer("reject")
    claude.seen("idle")

    claude.model.script({"text": "one of them", "pause": 1})
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda text: claude.order("prompt", stdin=text), ("first", "second")))
    assert sorted(code for code, _ in ended) == [0, 1]
    claude.seen("idle")
    (said,) = claude.prompts()[-1:]
    assert said in {"first", "second"}

    account.tell("default", "/exit")
    claude.seen("exited")
    assert claude.refused("prompt", stdin="rm -rf /workspace")["state"]["value"] == "exited"
    assert claude.order("abort") == (0, [{}])
    account.tell("default", "agent")
    claude.seen("idle")
    claude.press("Ctrl z")
    claude.seen("idle")
    assert claude.order("prompt", stdin="third")[0] == 0
    assert "rm -rf" not in account.screen()


def test_questions_are_answered_by_choice_or_in_words(account: Account) -> None:
    claude = start(account)
    assert claude.refused("answer", stdin="once")["kind"] == "refused"
    write = {"tool": "Write", "input": {"file_path": "/workspace/app/one.txt", "content": "1"}}
    again = {"tool": "Write", "input": {"file_path": "/workspace/app/two.txt", "content": "2"}}
    claude.model.script(
        write, {"text": "Written"}, bash("touch three"), {"text": "Heard"}, write, again, {"text": "Both"}
    )

    def follow(text: str, *answers: str) -> list[str]:
        """The answers as soon as they are asked for; the types of the events."""
        with ThreadPoolExecutor(1) as pool:
            turn = pool.submit(claude.order, "prompt", "--follow", "--through-questions", stdin=text)
            for answer in answers:
                claude.seen("waiting")
                claude.answer(answer)
            code, events = turn.result()
        assert code == 0, events
        return [event["type"] for event in events]

    assert follow("write", "once") == ["turn", "tool", "waiting", "text", "end"]
    assert (claude.project / "one.txt").read_text() == "1"
    assert follow("touch", 'reject\nnot there,\nrather in "/tmp"') == [
        "turn",
        "text",
        "tool",
        "waiting",
        "text",
        "end",
    ]
    assert 'not there,\\nrather in \\"/tmp\\"' in json.dumps(claude.model.turns()[-1]["body"]["messages"])
    assert follow("write both", "always") == ["turn", "tool", "waiting", "tool", "text", "end"]
    assert made(claude) >= {"one.txt", "two.txt"}
    assert "three" not in made(claude)

    claude.model.script(ASK, {"text": "One"}, ASK, {"text": "Two"}, ASK)
    follow("ask", "blue")
    assert claude.refused("answer", stdin="Blue")["kind"] == "refused"
    follow("ask", "dark red,\nnearly black")
    said = json.dumps(claude.model.turns()[-1]["body"]["messages"])
    assert '\\"Which colour?\\"=\\"Blue\\"' in said
    assert "dark red,\\\\nnearly black" in said or "dark red,\\nnearly black" in said
    claude.ask("ask")
    assert claude.refused("answer", stdin="always")["kind"] == "usage"
    claude.answer("reject")
    claude.seen("idle")
    claude.model.script(ASK_MUCH, {"text": "Much"}, ASK_MUCH)
    claude.ask("ask much")
    assert "Which ones? Red / Blue" in claude.refused("answer", stdin="Red")["message"]
    claude.answer("red\nBlue, red")
    claude.seen("idle")
    assert '\\"Which ones?\\"=\\"Red, Blue\\"' in json.dumps(claude.model.turns()[-1]["body"]["messages"])
    claude.ask("ask much")
    assert claude.order("abort") == (0, [{}])
    assert claude.state()["value"] == "idle"


def test_an_answer_to_a_claude_that_is_slow_is_pressed_once(account: Account) -> None:
    claude = start(account)
    claude.model.script(bash("touch one"), bash("touch two"), {"text": "Both"})
    first = claude.ask("make both")["state"]["question"]
    claude.seen("waiting")
    account.inside(
        "default", "pkill", "-STOP", "-x", "session-pane|agent|claude"
    )  # or it would go on at once
    answering = account.begin("answer", "default", "yes")
    until(
        lambda: seconds_of(account, "agent/answer") >= 8,
        "time for several keys",
        told=lambda: answering.communicate() if answering.poll() is not None else answering.args,
    )
    account.inside("default", "pkill", "-CONT", "-x", "session-pane|agent|claude")
    out, err = answering.communicate(timeout=60)
    assert (answering.returncode, out) == (0, "approved once: Bash: touch one\n"), err
    until(lambda: "touch two" in claude.state()["reason"], "the second question", seconds=60)
    until(lambda: "one" in made(claude), "what was approved", seconds=60)
    assert claude.refused("answer", "--question", first["id"], stdin="once")["kind"] == "refused"
    assert "two" not in made(claude)
    account.ok("answer", "default", "no")
    until(lambda: claude.state()["value"] == "idle", "the end of the turn", seconds=60)
    claude.model.script({"text": "Nothing is left in the input"})
    assert claude.ask("go on")["text"] == "Nothing is left in the input"
    assert "two" not in made(claude)


def seconds_of(account: Account, program: str) -> int:
    """How long a program has run in the session, 0 for one that does not run."""
    shown = account.podman_done("exec", "agent_default", "ps", "-e", "-o", "etimes=", "-o", "args=").out
    return max((int(row.split()[0]) for row in shown.splitlines() if f"/{program}" in row), default=0)


def test_models_are_asked_of_the_sessions_own_api(account: Account) -> None:
    claude = start(account)
    assert claude.order("history") == (0, [{"entries": []}])
    claude.ask("hello")
    code, (told,) = claude.order("models")
    assert code == 0
    assert [model["current"] for model in told["models"]] == [True]
    (request,) = [request for request in claude.model.requests() if request["path"].startswith("/v1/models")]
    assert request["headers"]["x-api-key"].startswith("sk-ant-api03-")
    account.inside("default", "pkill", "-f", "/tmp/model.py")
    error = claude.refused("models")
    assert error["kind"] == "server"
    assert "127.0.0.1" in error["message"]
