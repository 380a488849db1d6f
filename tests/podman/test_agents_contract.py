"""What docs/agents.md says an agent's executables do, of each agent that brings them;
one session an agent, for all tests.

An agent joins when its folder has them; tests/subjects.py says how its next turn is chosen.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.account import Account
from tests.storage import STUB, Storage
from tests.subjects import FOLDERS, SUBJECTS, Subject, Told
from tests.waiting import until

pytestmark = pytest.mark.podman
AT_REST = ("idle", "failed", "exited")
VALUES = {"starting", "working", "waiting", "idle", "failed", "exited", "unknown"}
AWKWARD = {
    "lines": "first\n\n  third, indented\n\tfourth, with a tab",
    "quotes": 'it\'s "quoted" `so` $HOME $(so) \\n \\ %s {} [x] !! #',
    "dash": "--help me",
    "slash": "/no-such-command is what it begins with",
    "unicode": "größe \N{PILE OF POO} \N{FAMILY} 漢字 e\N{COMBINING ACUTE ACCENT}",
}


@pytest.fixture(scope="module", params=FOLDERS)
def started(request: pytest.FixtureRequest, storage: Storage) -> Iterator[Subject]:
    """Each agent in turn, in a session of its own."""
    name: str = request.param
    storage.build(name)
    account = Account(storage.path, storage.driver)
    try:
        if name == "stub":
            agents = account.agents
            agents.mkdir()
            (agents / name).symlink_to(STUB)
        yield SUBJECTS[name](account, name)
    finally:
        account.close()


@pytest.fixture
def agent(started: Subject) -> Iterator[Subject]:
    """It is idle, and so it will be."""
    until(lambda: started.state()["value"] != "starting", "the agent")
    yield started
    if started.state()["value"] not in AT_REST:  # to abort a turn that is over takes Claude three seconds
        started.order("abort")
        started.becomes(*AT_REST)


def check_state(state: dict[str, Any]) -> None:
    assert state["value"] in VALUES
    assert datetime.fromisoformat(state["since"]).tzinfo
    assert state["since"].endswith("Z")
    assert isinstance(state["reason"], str)
    assert state["source"]
    assert ("question" in state) == (state["value"] == "waiting")


def check_tool(tool: dict[str, Any]) -> None:
    assert isinstance(tool["name"], str)
    assert "input" in tool


def ended(told: Told, value: str) -> dict[str, Any]:
    """The last event of a turn that was followed, in the contract's shape."""
    assert told.status == 0, told
    assert told.lines[0]["type"] == "turn"
    assert told.lines[0]["turn"]
    assert [line["type"] for line in told.lines].count("end") == 1
    end = told.lines[-1]
    assert isinstance(end["text"], str)
    for tool in end["tools"]:
        check_tool(tool)
    assert all(isinstance(end["usage"][key], int) for key in ("input_tokens", "output_tokens"))
    assert end["duration_s"] >= 0
    check_state(end["state"])
    assert end["state"]["value"] == value, end
    return end


def last(agent: Subject, role: str) -> dict[str, Any]:
    entries = [entry for entry in agent.order("history").only["entries"] if entry["role"] == role]
    found: dict[str, Any] = entries[-1]
    return found


def test_an_idle_agent_says_so(agent: Subject) -> None:
    state = agent.state()
    check_state(state)
    assert state["value"] == "idle"


def test_a_turn_is_followed_to_its_end_and_seen_on_the_screen(agent: Subject) -> None:
    turn = agent.say("PINEAPPLE")
    end = ended(agent.order("prompt", "--follow", stdin=turn.prompt), "idle")
    assert end["text"] == turn.answer
    until(lambda: "PINEAPPLE" in agent.account.screen(), "the words on the screen")
    check_state(agent.becomes("idle"))


def test_each_change_of_state_is_a_line(agent: Subject) -> None:
    with agent.listening("state", "--follow") as listener:
        until(lambda: listener.lines, "the state at once")
        first = listener.lines[0]
        turn = agent.work(1)
        agent.order("prompt", "--follow", stdin=turn.prompt)
        until(
            lambda: [line["value"] for line in listener.lines][-2:] == ["working", "idle"],
            "the turn",
            told=lambda: listener.lines,
        )
        for line in listener.lines:
            check_state(line)
        assert listener.lines[-1]["since"] > first["since"]
        assert len({json.dumps(line) for line in listener.lines}) == len(listener.lines)


def test_a_prompt_that_is_not_followed_returns_when_the_agent_has_it(agent: Subject) -> None:
    turn = agent.work(2)
    assert agent.order("prompt", stdin=turn.prompt).only["turn"]
    assert agent.state()["value"] == "working"
    agent.becomes("idle")
    assert last(agent, "user")["text"] == turn.prompt


@pytest.mark.parametrize("kind", AWKWARD)
def test_a_prompt_arrives_as_it_was_written(agent: Subject, kind: str) -> None:
    turn = agent.say(AWKWARD[kind])
    assert ended(agent.order("prompt", "--follow", stdin=turn.prompt), "idle")["text"] == turn.answer
    assert last(agent, "user")["text"] == AWKWARD[kind]
    assert last(agent, "assistant")["text"] == turn.answer


def test_a_prompt_of_a_megabyte_arrives_whole(agent: Subject) -> None:
    text = "\n".join(f"line {number} " + "x" * 80 for number in range(10_500))[:999_999] + "!"
    turn = agent.say(text)
    ended(agent.order("prompt", "--follow", stdin=turn.prompt), "idle")
    assert last(agent, "user")["text"] == text


def test_an_answer_of_five_megabytes_comes_whole(agent: Subject) -> None:
    turn = agent.say_much(5_000_000)
    assert ended(agent.order("prompt", "--follow", stdin=turn.prompt), "idle")["text"] == turn.answer


def test_a_working_agent_takes_no_prompt_and_can_be_aborted(agent: Subject) -> None:
    turn = agent.work(40)
    with agent.listening("prompt", "--follow", stdin=turn.prompt) as listener:
        until(lambda: listener.heard("turn"), "the turn")
        error = agent.order("prompt", stdin="another").error
        assert (error["kind"], error["state"]["value"]) == ("refused", "working")
        assert agent.order("abort").only == {}
        assert listener.end().lines[-1]["type"] == "end"
    assert agent.state()["value"] in {"idle", "failed"}
    again = agent.say("after an abort")
    assert ended(agent.order("prompt", "--follow", stdin=again.prompt), "idle")["text"] == again.answer


def test_of_two_prompts_at_once_one_is_refused(agent: Subject) -> None:
    turn = agent.work(3)
    with (
        agent.listening("prompt", "--follow", stdin=f"{turn.prompt}") as one,
        agent.listening("prompt", "--follow", stdin=f"{turn.prompt}") as other,
    ):
        told = sorted([one.end(), other.end()], key=lambda told: told.status)
    ended(told[0], "idle")
    assert told[1].error["kind"] == "refused"


def test_a_permission_is_asked_for_and_given(agent: Subject) -> None:
    turn = agent.use("echo asked > /tmp/asked")
    told = agent.order("prompt", "--follow", stdin=turn.prompt)
    end = ended(told, "waiting")
    (asked,) = [line["question"] for line in told.lines if line["type"] == "waiting"]
    assert asked == end["state"]["question"]
    assert asked["kind"] == "permission"
    assert "/tmp/asked" in asked["text"]
    assert {"once", "reject"} <= set(asked["choices"])
    state = agent.state()
    check_state(state)
    assert state["question"] == asked
    error = agent.order("prompt", stdin="something else").error
    assert (error["kind"], error["state"]["value"]) == ("refused", "waiting")
    assert agent.order("answer", stdin="once").only == {}
    agent.becomes("idle")
    assert last(agent, "assistant")["text"] == turn.answer
    tools = [tool for entry in agent.order("history").only["entries"] for tool in entry["tools"]]
    assert "/tmp/asked" in json.dumps(tools[-1]["input"])


def test_a_permission_can_be_refused(agent: Subject) -> None:
    turn = agent.use("touch /tmp/refused")
    ended(agent.order("prompt", "--follow", stdin=turn.prompt), "waiting")
    assert agent.order("answer", stdin="reject").only == {}
    agent.becomes("idle", "failed")
    assert agent.account.podman_done("exec", "agent_default", "test", "-e", "/tmp/refused").code == 1


def test_a_permission_takes_three_words_and_no_other(agent: Subject) -> None:
    turn = agent.use("echo words > /tmp/words")
    ended(agent.order("prompt", "--follow", stdin=turn.prompt), "waiting")
    asked = agent.state()["question"]
    for words in ("yes", "1", "Once", "ALWAYS", "oncee", "no", "do something else", "once\nplease"):
        assert agent.order("answer", stdin=words).error["kind"] == "usage", words
    assert agent.state()["question"] == asked
    assert agent.order("answer", stdin="reject\nrather do nothing at all").only == {}
    agent.becomes("idle", "failed")
    assert agent.account.podman_done("exec", "agent_default", "test", "-e", "/tmp/words").code == 1


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
def test_one_answer_answers_one_question(agent: Subject, at_once: bool) -> None:
    agent.account.podman("exec", "agent_default", "rm", "-f", "/tmp/answer-two")
    use = agent.use_at_once if at_once else agent.use
    turn = use("echo one > /tmp/answer-one", "echo two > /tmp/answer-two")
    ended(agent.order("prompt", "--follow", stdin=turn.prompt), "waiting")
    first = agent.state()["question"]
    assert agent.order("answer", "--question", first["id"], stdin="once").only == {}
    until(
        lambda: (now := agent.state()).get("question", first)["id"] != first["id"] and now,
        "the second question",
        seconds=60,
        told=agent.state,
    )
    error = agent.order("answer", "--question", first["id"], stdin="once").error
    assert (error["kind"], error["state"]["value"]) == ("refused", "waiting")
    assert agent.account.podman_done("exec", "agent_default", "test", "-e", "/tmp/answer-two").code == 1
    assert agent.order("answer", stdin="reject").only == {}
    agent.becomes("idle", "failed")


def test_a_turn_can_be_followed_through_its_questions(agent: Subject) -> None:
    turn = agent.use("echo through > /tmp/through")
    with agent.listening("prompt", "--follow", "--through-questions", stdin=turn.prompt) as listener:
        until(lambda: listener.heard("waiting"), "the question", told=lambda: listener.lines)
        agent.becomes("waiting")
        assert agent.order("answer", stdin="once").only == {}
        end = ended(listener.end(), "idle")
    assert end["text"] == turn.answer
    assert [line["type"] for line in listener.lines if line["type"] in {"waiting", "tool", "end"}][
        -1
    ] == "end"
    assert listener.heard("tool")
    assert end["tools"]


def test_a_question_that_nobody_asked_is_not_answered(agent: Subject) -> None:
    assert agent.order("answer", stdin="once").error["kind"] == "refused"


def test_a_question_goes_with_its_turn(agent: Subject) -> None:
    turn = agent.use("touch /tmp/aborted")
    ended(agent.order("prompt", "--follow", stdin=turn.prompt), "waiting")
    assert agent.order("abort").only == {}
    assert agent.state()["value"] in {"idle", "failed"}
    assert agent.account.podman_done("exec", "agent_default", "test", "-e", "/tmp/aborted").code == 1


def test_a_turn_that_is_over_already_can_be_aborted(agent: Subject) -> None:
    assert agent.order("abort").only == {}


def test_a_turn_that_fails_says_why_and_the_next_one_is_taken(agent: Subject) -> None:
    turn = agent.fail("the scripted misfortune")
    end = ended(agent.order("prompt", "--follow", stdin=turn.prompt), "failed")
    assert "scripted misfortune" in end["state"]["reason"]
    assert agent.state()["value"] == "failed"
    turn = agent.say("well again")
    assert ended(agent.order("prompt", "--follow", stdin=turn.prompt), "idle")["text"] == turn.answer


def test_a_turn_goes_on_when_the_time_of_who_followed_it_is_up(agent: Subject) -> None:
    turn = agent.work(20)
    assert agent.order("prompt", "--follow", "--timeout", "2", stdin=turn.prompt).error["kind"] == "timeout"
    assert agent.state()["value"] == "working"


def test_what_somebody_has_begun_to_type_is_not_sent(agent: Subject) -> None:
    agent.type(stdin="leftover")
    until(lambda: "leftover" in agent.account.screen(), "what was typed")
    turn = agent.say("not this")
    told = agent.order("prompt", "--follow", stdin=turn.prompt)
    until(lambda: "leftover" in agent.account.screen(), "what was typed, still there")
    if told.status:  # its terminal is where prompts go
        assert told.error["kind"] == "refused"
    else:
        assert last(agent, "user")["text"] == turn.prompt
    agent.type(*agent.clearing)
    turn = agent.say("empty again")
    until(lambda: "leftover" not in agent.account.screen(), "an empty input")
    assert ended(agent.order("prompt", "--follow", stdin=turn.prompt), "idle")["text"] == turn.answer


def test_history_is_told_from_its_end(agent: Subject) -> None:
    turn = agent.say("one")
    for word in ("two", "three"):
        agent.order("prompt", "--follow", stdin=turn.prompt)
        turn = agent.say(word)
    agent.order("prompt", "--follow", stdin=turn.prompt)
    entries = agent.order("history", "--limit", "2").only["entries"]
    assert [entry["role"] for entry in entries] == ["user", "assistant"]
    assert entries[-1]["text"] == turn.answer
    everything = agent.order("history").only["entries"]
    assert everything[-2:] == entries
    for entry in everything:
        assert entry["role"] in {"user", "assistant"}
        assert isinstance(entry["text"], str)
        assert datetime.fromisoformat(entry["time"]).tzinfo
        for tool in entry["tools"]:
            check_tool(tool)


def test_models_are_what_can_be_used_now(agent: Subject) -> None:
    models = agent.order("models").only["models"]
    assert models
    assert len({model["id"] for model in models}) == len(models)
    assert len([model for model in models if model["current"] is True]) <= 1
    assert all(model["name"] for model in models)


def test_an_agent_that_has_quit_takes_no_orders_and_nothing_is_typed_into_its_shell(agent: Subject) -> None:
    agent.quit()
    state = agent.becomes("exited")
    check_state(state)
    error = agent.order("prompt", stdin="touch /tmp/typed").error
    assert (error["kind"], error["state"]["value"]) == ("refused", "exited")
    assert agent.order("answer", stdin="once").error["kind"] == "refused"
    assert "touch" not in agent.account.screen()
