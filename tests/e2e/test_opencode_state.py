"""OpenCode's state, told by its own server: right whatever happens, in one session of the real one."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.account import Account
from tests.models.model import Model
from tests.opencode import READY, session_of
from tests.questions import without_id
from tests.storage import Storage
from tests.waiting import until

ACTION = ("zellij", "--session", "default", "action")

pytestmark = [pytest.mark.e2e]

ASKED = "Permission required"
BASH = {"tool": "bash", "input": {"command": "sleep 0.5; echo made", "description": "make"}}


class Serving:
    """A session of OpenCode's on a scripted model, with nobody attached."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.model = Model(account)

    def begin(self) -> None:
        """After each start."""
        self.model.shown(READY)
        self.model.begin()
        self.is_("idle")

    def state(self) -> dict[str, Any]:
        """What the host reads."""
        return self.account.state()

    def is_(self, value: str) -> dict[str, Any]:
        """The state as soon as it has that value."""
        return until(lambda: (now := self.state())["value"] == value and now, value, told=self.state)

    def agent_again(self) -> None:
        """From the shell that is left when OpenCode's terminal has ended."""
        self.tell("agent")
        until(
            lambda: self.state()["value"] in {"idle", "failed"},
            "taking prompts again",
            told=self.state,
        )
        self.model.shown("tab agents")

    def press(self, *keys: str) -> None:
        self.account.inside(
            "default",
            "zellij",
            "--session",
            "default",
            "action",
            "send-keys",
            "--pane-id",
            "terminal_0",
            *keys,
        )

    def escape(self, over: Callable[[], bool]) -> None:
        """Press Esc until that has had its effect, each press alone:
        with a key right behind it, it would mean Alt and that key.
        """

        def pressed() -> bool:
            if not over():
                self.press("Esc")
                with contextlib.suppress(pytest.fail.Exception):
                    until(over, "the effect of Esc", seconds=2)
            return over()

        until(pressed, "the effect of Esc", told=self.account.screen)
        self.press(
            "Ctrl u"
        )  # were an Esc still open, this key, which does nothing, would be the one behind it

    def tell(self, words: str) -> None:
        self.account.tell("default", words)

    def tell_again(self, words: str) -> None:
        """As a person does at a terminal that has only just come back:
        who does not see it typed types it again.
        """
        typed = 0.0

        def seen() -> bool:
            nonlocal typed
            there = words in self.account.screen()
            if not there and time.monotonic() - typed > 5:
                self.account.inside("default", *ACTION, "write-chars", "--pane-id", "terminal_0", words)
                typed = time.monotonic()
            return there

        until(seen, f"{words!r} in its input")
        self.account.inside("default", *ACTION, "write", "--pane-id", "terminal_0", "13")

    def server(self, signal: str) -> None:
        """A signal to the server."""
        self.account.inside("default", "pkill", f"-{signal}", "-f", "^[^ ]*opencode serve ")


@pytest.fixture(scope="module")
def serving(storage: Storage, opencode: str) -> Iterator[Serving]:  # noqa: ARG001
    with session_of(storage) as (account, _):
        found = Serving(account)
        found.begin()
        # A session's first turn asks the model for a title as well, which must not take a test's answer.
        found.tell("begin")
        found.model.shown("echo: begin")
        found.is_("idle")
        yield found


def test_all_that_is_used_of_its_api_is_in_its_own_description(serving: Serving) -> None:
    program = "import json, opencode_api as api; print(json.dumps([api.ENDPOINTS, api.EVENTS]))"
    endpoints, events = json.loads(
        serving.account.inside(
            "default", "env", "PYTHONPATH=/usr/lib/agent-session", "python3", "-c", program
        )
    )
    fetch = (
        'curl -sf -u "opencode:$(cat ~/.local/state/agent-session/server-password)" http://127.0.0.1:4096/doc'
    )
    doc = json.loads(serving.account.inside("default", "sh", "-c", fetch))
    schemas = doc["components"]["schemas"]

    def keys(schema: dict[str, Any]) -> set[str]:
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        schema = schema["items"] if schema.get("type") == "array" else schema
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        return set(schema.get("properties", {}))

    for name, (method, path, sent, read) in endpoints.items():
        operation = doc["paths"][path][method.lower()]
        body = (
            operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        )
        assert set(sent) <= keys(body), name
        answer = operation["responses"].get("200", {}).get("content", {})
        if read:
            assert set(read) <= keys(answer["application/json"]["schema"]), name
    (described,) = (schemas[name] for name in ["Event"])
    known = {
        schema["properties"]["type"]["enum"][0]: keys(schema["properties"]["properties"])
        for schema in (schemas[reference["$ref"].rpartition("/")[2]] for reference in described["anyOf"])
    }
    for kind, read in events.items():
        assert set(read) <= known[kind], kind
    reply = doc["paths"]["/permission/{requestID}/reply"]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"]
    assert set(reply["properties"]["reply"]["enum"]) == {"once", "always", "reject"}


@pytest.mark.long  # the contract of all agents has it (tests/podman/test_agents_contract.py)
def test_it_works_while_it_has_a_turn_and_is_idle_after_it(serving: Serving) -> None:
    serving.model.script({"text": "First answer", "delay": 2})
    before = serving.is_("idle")["since"]
    serving.tell("typed")
    serving.is_("working")
    serving.model.shown("First answer")
    after = serving.is_("idle")
    assert after["since"] > before
    assert after["source"] == "OpenCode's server"


@pytest.mark.long  # the contract of all agents has it (tests/podman/test_agents_contract.py)
def test_a_permission_is_waited_for_until_it_is_granted_or_refused(serving: Serving) -> None:
    serving.model.script(BASH, {"text": "It is made"}, BASH, {"text": "never said"})
    serving.tell("make it")
    serving.model.shown(ASKED)
    asked = serving.is_("waiting")
    assert asked["reason"] == "bash: sleep 0.5; echo made"
    assert without_id(asked["question"]) == {
        "kind": "permission",
        "text": "bash: sleep 0.5; echo made",
        "choices": ["once", "always", "reject"],
    }
    serving.press("Enter")
    serving.is_("working")
    serving.model.shown("It is made")
    serving.is_("idle")
    serving.tell("make it again")
    serving.model.shown(ASKED)
    serving.is_("waiting")
    serving.escape(lambda: ASKED not in serving.account.screen())
    serving.is_("idle")


def test_a_turn_interrupted_by_escape_is_over(serving: Serving) -> None:
    serving.model.script({"hang": 120})
    serving.tell("think long")
    serving.model.shown("esc interrupt")
    serving.is_("working")
    serving.escape(lambda: serving.state()["value"] == "idle")
    assert "interrupted" in serving.is_("idle")["reason"]


@pytest.mark.long  # the contract of all agents has it (tests/podman/test_agents_contract.py)
def test_a_long_tool_is_work(serving: Serving) -> None:
    serving.model.script(
        {"tool": "bash", "input": {"command": "sleep 3", "description": "sleep"}}, {"text": "Slept well"}
    )
    serving.tell("sleep")
    serving.model.shown(ASKED)
    serving.press("Enter")
    serving.is_("working")
    serving.model.shown("Slept well")
    serving.is_("idle")


def test_an_error_of_the_model_is_a_failure_and_one_that_passes_is_work(serving: Serving) -> None:
    serving.model.script({"status": 400, "message": "no such PERSIMMON"})
    serving.tell("fail")
    assert serving.is_("failed")["reason"] == "no such PERSIMMON"
    for status in (429, 529):
        # Twice: OpenCode waits 2 s after the first, which a busy machine may not see, then 4 s.
        late = {"status": status, "message": "come back LATER"}
        serving.model.script(late, late, {"text": f"After {status}"})
        serving.tell("try")
        until(lambda: "LATER" in serving.state()["reason"], "why it still works", told=serving.state)
        assert serving.state()["value"] == "working"
        serving.model.shown(f"After {status}")
        serving.is_("idle")


def test_a_question_is_waited_for_with_its_options(serving: Serving) -> None:
    question = {"question": "Which fruit?", "header": "Fruit"}
    options = [{"label": "Quince", "description": "yellow"}, {"label": "Medlar", "description": "brown"}]
    serving.model.script(
        {"tool": "question", "input": {"questions": [question | {"options": options}]}}, {"text": "Noted"}
    )
    serving.tell("ask me")
    serving.model.shown("Which fruit?", "Quince")
    asked = serving.is_("waiting")["question"]
    assert without_id(asked) == {"kind": "question", "text": "Which fruit?", "choices": ["Quince", "Medlar"]}
    serving.account.ok("answer", "default", "Medlar")
    serving.model.shown("Noted")
    serving.is_("idle")


def test_a_server_that_is_killed_comes_back_with_the_conversation_and_the_terminal(serving: Serving) -> None:
    serving.model.script({"text": "Before the DEATH"}, {"text": "After the BIRTH"})
    serving.tell("remember")
    serving.model.shown("Before the DEATH")
    serving.is_("idle")
    serving.server("KILL")
    serving.is_("starting")
    serving.is_("idle")
    serving.tell_again("and now")
    assert "Before the DEATH" in serving.model.shown("After the BIRTH")
    said = json.dumps(serving.model.turns()[-1]["body"]["messages"])
    assert "Before the DEATH" in said
    assert '"event": "server-end"' in serving.account.inside(
        "default", "sh", "-c", "cat ~/.local/state/agent-session/events.jsonl"
    )


def test_a_server_that_is_killed_in_the_middle_of_a_turn_leaves_a_failure(serving: Serving) -> None:
    serving.model.script({"hang": 120})
    serving.tell("hang")
    serving.is_("working")
    serving.server("KILL")
    assert "middle of the turn" in serving.is_("failed")["reason"]


def test_a_server_that_does_not_answer_is_told_and_hinders_nobody(serving: Serving) -> None:
    serving.server("STOP")
    try:
        ran = serving.account.run("prompt", "default", "hello")
        assert ran.code == 10
        assert "does not answer" in ran.err
        assert serving.account.run("models", "default").code == 10
        unknown = serving.is_("unknown")
        assert "does not answer" in unknown["reason"] or "silent" in unknown["reason"]
    finally:
        serving.server("CONT")
    until(lambda: serving.state()["value"] not in {"unknown", "starting"}, "an answer")


@pytest.mark.long  # the contract of all agents has it (tests/podman/test_agents_contract.py)
def test_a_terminal_that_is_left_is_exited_and_can_be_had_again(serving: Serving) -> None:
    serving.tell("/exit")
    assert serving.is_("exited")["source"] == "pane"
    ran = serving.account.run("prompt", "default", "hello")
    assert ran.code == 5
    assert "exited" in ran.err
    serving.agent_again()
    serving.press("Ctrl c")
    serving.is_("exited")


@pytest.mark.long  # tests/podman/test_states.py has it of the agent shell
def test_a_session_that_starts_again_has_no_state_of_its_last_life(serving: Serving) -> None:
    serving.account.ok("stop")
    (stopped,) = json.loads(serving.account.ok("ls", "--json"))
    assert "turn" not in stopped["state"]["reason"]
    serving.account.ok("start", "-d", cwd=serving.account.home / "projects" / "app")
    serving.begin()
