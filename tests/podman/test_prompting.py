"""prompt, answer, models and chat as scripts use them, on a real session of the stub,
whose words say what it does.
"""

import json
from collections.abc import Iterator

import pytest

from tests.account import Account, Done
from tests.storage import STUB, Storage
from tests.waiting import COMMAND_SECONDS, TIMEOUT, until

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def shared(storage: Storage, stub: str) -> Iterator[Account]:  # noqa: ARG001
    """An account in which a stub is the session "web" for all tests of this file."""
    account = Account(storage.path, storage.driver)
    try:
        agents = account.agents
        agents.mkdir()
        (agents / "stub").symlink_to(STUB)
        account.ok("start", "-d", "-a", "stub", "-n", "web", cwd=account.project())
        yield account
    finally:
        account.close()


@pytest.fixture
def web(shared: Account) -> Iterator[Account]:
    """It is idle, and so it will be."""
    shared.ok("wait", "--until", "idle,failed", "--timeout", TIMEOUT, "web")
    yield shared
    shared.inside("web", "/usr/lib/agent-session/agent-command", "abort")


def kinds(account: Account) -> list[str]:
    return [json.loads(line)["event"] for line in account.ok("logs", "--json", "web").splitlines()]


def test_wait_prints_the_answer_and_nothing_else(web: Account) -> None:
    assert web.run("prompt", "--wait", "web", "hello") == Done(code=0, out="stub heard: hello\n", err="")
    assert web.run("prompt", "web", "--wait", "--", "--help") == Done(
        code=0, out="stub heard: --help\n", err=""
    )


@pytest.mark.parametrize("arguments", [("web", "-"), ("web",)])
def test_a_prompt_can_come_on_standard_input(web: Account, arguments: tuple[str, ...]) -> None:
    assert web.run("prompt", "--wait", *arguments, stdin="one\ntwo\n").out == "stub heard: one\ntwo\n"


def test_without_wait_it_returns_when_the_agent_has_it(web: Account) -> None:
    assert web.run("prompt", "web", "slow 2") == Done(code=0, out="", err="")
    assert web.ok("wait", "web").split() == ["web", "idle"]
    assert json.loads(web.ok("prompt", "--json", "web", "hello"))["turn"]


def test_json_tells_all_of_a_turn(web: Account) -> None:
    told = json.loads(web.ok("prompt", "--wait", "--json", "web", "tool make test"))
    assert told["state"].pop("since")
    assert told.pop("duration_s") >= 0
    assert told == {
        "text": "did make test",
        "tools": [{"name": "Bash", "input": {"command": "make test"}}],
        "usage": {"input_tokens": 14, "output_tokens": 13},
        "state": {"value": "idle", "reason": "", "source": "the stub itself"},
    }


def test_a_question_ends_the_waiting_and_can_be_answered(web: Account) -> None:
    done = web.run("prompt", "--wait", "--json", "web", "ask make")
    assert (done.code, json.loads(done.out)["state"]["question"]["choices"]) == (
        5,
        ["once", "always", "reject"],
    )
    assert (
        done.err
        == "error: session 'web' waits for an answer: Bash: make\nhint: agent-session answer web once\n"
    )
    assert web.run("prompt", "web", "hello").code == 5
    assert web.run("answer", "web", "once") == Done(code=0, out="approved once: Bash: make\n", err="")
    assert web.ok("wait", "web").split() == ["web", "idle"]
    assert web.run("answer", "web", "once").code == 5


@pytest.mark.parametrize(
    ("word", "done"),
    [("YES", "approved once"), ("1", "approved once"), ("Always", "approved always"), ("n", "rejected")],
)
def test_a_word_means_the_same_to_each_agent_and_is_told(web: Account, word: str, done: str) -> None:
    asked = f"make {word}"
    assert web.run("prompt", "--wait", "web", f"ask {asked}").code == 5
    assert web.ok("answer", "web", word) == f"{done}: Bash: {asked}\n"
    web.ok("wait", "--until", "idle", "--timeout", "30", "web")


def test_a_word_that_answers_nothing_is_refused_and_the_question_stays(web: Account) -> None:
    assert web.run("prompt", "--wait", "web", "ask make it").code == 5
    for word in ("ok", "oncee", "maybe", "approve", "2", "y e s"):
        refused = web.run("answer", "web", word)
        assert (refused.code, refused.out) == (2, ""), word
        assert "once (or y, yes, 1), always, reject (or n, no)" in refused.err
    assert json.loads(web.ok("status", "--json", "web"))["state"]["value"] == "waiting"
    assert web.run("answer", "web", "once", "-m", "but slowly").code == 2
    assert web.ok("answer", "web", "reject", "-m", "make tea") == "rejected with a message: Bash: make it\n"
    assert web.ok("wait", "--until", "idle", "--timeout", "30", "web")


def test_a_question_has_options_of_its_own(web: Account) -> None:
    assert web.run("prompt", "--wait", "web", "choose Red,Blue").code == 5
    refused = web.run("answer", "web", "always")
    assert (refused.code, "its options: Red, Blue" in refused.err) == (2, True)
    assert web.ok("answer", "web", "blue") == "answered 'Blue': Which?\n"
    web.ok("wait", "--until", "idle", "--timeout", "30", "web")
    assert web.run("prompt", "--wait", "web", "choose Red,Blue").code == 5
    assert web.ok("answer", "web", "1") == "answered 'Red': Which?\n"


def test_what_is_no_answer_has_an_exit_code_of_its_own(web: Account) -> None:
    failed = web.run("prompt", "--wait", "web", "fail the model is gone")
    assert (failed.code, failed.out) == (10, "")
    assert failed.err.startswith(
        "error: the turn of session 'web' failed: the model is gone\nhint: agent-session "
    )
    late = web.run("prompt", "--wait", "--timeout", "1", "web", "slow 3")
    assert (late.code, late.out, late.err.splitlines()[-1]) == (124, "", "hint: agent-session wait web")
    refused = web.run("prompt", "--wait", "web", "hello")
    assert (refused.code, refused.err) == (
        5,
        "error: session 'web': the stub is working\nhint: agent-session wait web\n",
    )
    assert web.run("prompt", "web", " \n").code == 2
    assert web.run("prompt", "web").code == 2  # nothing on its standard input
    assert web.run("prompt", "no-such", "hello").code == 4


def test_no_terminal_obeys_an_answer(web: Account) -> None:
    assert web.ok("prompt", "--wait", "web", "escape") == "31mredend\n"
    told = web.ok("prompt", "--wait", "--json", "web", "escape")
    assert all(char.isprintable() or char == "\n" for char in told)
    assert json.loads(told)["text"] == "\x1b[2J\x1b]0;title\x07\x9b31mred\u2028end"


def test_five_megabytes_come_whole(web: Account) -> None:
    assert web.ok("prompt", "--wait", "web", "big 5000000") == "x" * 5_000_000 + "\n"
    assert len(json.loads(web.ok("prompt", "--wait", "--json", "web", "big 5000000"))["text"]) == 5_000_000


def test_two_at_once_are_never_mixed(web: Account) -> None:
    started = [web.begin("prompt", "--wait", "web", f"slow {n}") for n in (3, 3)]
    ended = sorted((process.communicate()[0], process.returncode) for process in started)
    assert ended[0] == ("", 5)
    assert (ended[1][0].endswith("slowly done\n"), ended[1][1]) == (True, 0)


def test_who_stops_waiting_leaves_the_turn(web: Account) -> None:
    process = web.begin("prompt", "--wait", "web", "slow 4")
    web.ok("wait", "--until", "working", "--timeout", TIMEOUT, "web")
    process.terminate()
    assert process.communicate(timeout=COMMAND_SECONDS)[0] == ""
    assert process.returncode == 143
    web.wait_for_rest()
    assert web.ok("wait", "--until", "idle", "--timeout", TIMEOUT, "web").split() == ["web", "idle"]


def test_models_are_listed(web: Account) -> None:
    assert web.ok("models", "web").splitlines()[1] == "stub/none   No model at all  *"
    assert json.loads(web.ok("models", "--json", "web"))[0] == {
        "id": "stub/none",
        "name": "No model at all",
        "current": True,
    }


def test_a_chat_without_a_terminal_prints_the_answer_alone(web: Account) -> None:
    assert web.run("chat", "web", stdin="one\ntwo\n") == Done(code=0, out="stub heard: one\ntwo\n", err="")
    assert web.run("chat", "web", "hello") == Done(code=0, out="stub heard: hello\n", err="")
    assert web.run("chat", "web", "ask make").code == 5


def test_the_record_tells_of_prompts_but_not_what_they_were(web: Account) -> None:
    web.ok("prompt", "--wait", "web", "hello PINEAPPLE")
    web.ok("prompt", "web", "slow 2")
    assert web.run("prompt", "web", "hello PINEAPPLE").code == 5
    told = [json.loads(line) for line in web.ok("logs", "--json", "web").splitlines()]
    assert [event["detail"] for event in told if event["event"] == "prompt"][-2] == {"bytes": 15}
    assert [event["detail"]["kind"] for event in told if event["event"] == "prompt-failed"][-1] == "refused"
    assert "PINEAPPLE" not in json.dumps(told)


def test_a_session_that_starts_is_waited_for_and_one_that_does_not_run_is_not(stub_account: Account) -> None:
    account = stub_account
    account.ok("start", "-d", "-a", "stub", cwd=account.project(), env={"STUB_BOOT": "4"})
    late = account.run("prompt", "--timeout", "1", "default", "hello")
    assert (late.code, "still starting" in late.err) == (124, True)
    assert account.ok("prompt", "--wait", "default", "hello") == "stub heard: hello\n"
    account.ok("stop")
    assert account.run("prompt", "default", "hello").code == 5
    account.ok("start", "-d", "-a", "shell", "-n", "plain", cwd=account.project())
    done = account.run("prompt", "plain", "hello")
    assert (done.code, "the agent shell has no `prompt` command" in done.err) == (5, True), done.err
    until(lambda: account.run("chat", "plain", "hello").code == 5, "the same of chat")


def test_an_image_from_before_takes_no_orders(account: Account) -> None:
    account.agent(
        "old",
        'USER 0\nRUN rm /usr/lib/agent-session/agent-command\nUSER 1000\nCMD ["sh", "-c", "echo here; cat"]',
    )
    account.ok("start", "-d", "--build", "-a", "old", cwd=account.project())
    done = account.run("prompt", "default", "hello")
    assert (done.code, done.err.splitlines()[-1]) == (5, "hint: agent-session update default")
