"""Prompts, answers, models and history on an engine in memory:
what is asked, what is believed, what is refused.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from agent_session import inside, sanitize
from agent_session.activity import agent_command, conversation
from agent_session.activity.errors import ImageTooOld, OrderRefused
from agent_session.activity.protocol import Asked, Ended, Said, Taken, Used
from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY
from agent_session.engine.command import ExecResult
from agent_session.errors import AgentServerError, AgentSessionError, ConflictError, TimedOut, UsageError
from agent_session.sessions import lifecycle
from agent_session.sessions.errors import SessionStopped
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project
from tests.fake_engine import FakeEngine

IMAGE = "localhost/agent-session-stub:1"
AGENT = Agent(name="stub", title="Stub", folder=Path("/agents/stub"))
IDLE = {"value": "idle", "since": "2026-11-21T08:00:00.123Z", "reason": "", "source": "test"}
END = {"type": "end", "text": "whole", "tools": [], "usage": {}, "duration_s": 1, "state": IDLE}
QUESTION = {"kind": "permission", "text": "Bash: make", "choices": ["once", "always", "reject"]}
Answer = Callable[[Sequence[str], bytes], ExecResult]
Make = Callable[[Answer], tuple[FakeEngine, Session]]


def said(*lines: object, status: int = 0) -> ExecResult:
    """An order that says these, a JSON line each, bytes as they are."""
    told = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return ExecResult(exit_code=status, stdout=b"".join(line + b"\n" for line in told))


def refused(kind: str, message: str = "no", **more: object) -> ExecResult:
    return said({"error": {"kind": kind, "message": message, **more}}, status=1)


@pytest.fixture
def made(home: Path) -> Make:
    """A session "web" whose order program does as a test says."""

    def make(answer: Answer) -> tuple[FakeEngine, Session]:
        def commands(_name: str, command: Sequence[str], stdin: bytes) -> ExecResult:
            return (
                answer(command[1:], stdin) if command[0] == inside.AGENT_COMMAND else ExecResult(exit_code=0)
            )

        engine = FakeEngine(images=[IMAGE], commands=commands)
        (home / "app").mkdir()
        project = Project(source=home / "app", target=PurePosixPath("/workspace/app"))
        request = SessionRequest(name="web", agent=AGENT, image=IMAGE, projects=(project,))
        return engine, lifecycle.create(engine, request, EMPTY, screen=False)

    return make


def test_a_prompt_arrives_as_it_was_written_but_for_what_a_terminal_obeys(made: Make) -> None:
    got: list[tuple[Sequence[str], bytes]] = []

    def answer(command: Sequence[str], stdin: bytes) -> ExecResult:
        got.append((command, stdin))
        return said({"turn": "7"})

    engine, session = made(answer)
    text = "/slash -- \"quotes\" $HOME `x` 'y'\r\n\ttwo\x1b[31m größe \N{PILE OF POO}\udc80\n"
    assert conversation.prompt(engine, session, text) == "7"
    assert got[0][0] == ["prompt"]
    assert got[0][1].decode() == (
        "/slash -- \"quotes\" $HOME `x` 'y'\n"
        "\ttwo\N{SYMBOL FOR ESCAPE}[31m größe \N{PILE OF POO}\N{REPLACEMENT CHARACTER}\n"
    )


def test_a_turn_is_told_as_it_goes(made: Make) -> None:
    lines = [
        {"type": "turn", "turn": "1", "future": [1]},
        {"type": "text", "text": "who"},
        {"type": "not-known-here", "text": 5},
        {"type": "tool", "name": "Bash", "input": {"command": "make"}},
        {"type": "waiting", "question": QUESTION},
        {
            **END,
            "usage": {"input_tokens": 3, "x": "y"},
            "tools": [{"name": "Bash", "input": {"command": "make"}}],
        },
    ]
    engine, session = made(lambda _command, _stdin: said(*lines))
    events = list(conversation.converse(engine, session, "go", through_questions=True))
    assert [type(event) for event in events] == [Taken, Said, Used, Asked, Ended]
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.text, dict(ended.usage), ended.duration, ended.state.value) == (
        "whole",
        {"input_tokens": 3},
        1,
        "idle",
    )
    assert [tool.input for tool in ended.tools] == [{"command": "make"}]


def test_a_turn_is_given_the_time_that_there_is(made: Make) -> None:
    got: list[Sequence[str]] = []

    def answer(command: Sequence[str], _stdin: bytes) -> ExecResult:
        got.append(command)
        return said({"type": "turn", "turn": "1"}, END)

    engine, session = made(answer)
    list(conversation.converse(engine, session, "go", timeout=5))
    list(conversation.converse(engine, session, "go", through_questions=True))
    assert got == [["prompt", "--follow", "--timeout", "5"], ["prompt", "--follow", "--through-questions"]]


@pytest.mark.parametrize("size", [5_000_000, 20_000_000])
def test_a_large_answer_arrives_whole(made: Make, size: int) -> None:
    engine, session = made(
        lambda _command, _stdin: said({"type": "turn", "turn": "1"}, {**END, "text": "ä" * (size // 6)})
    )
    *_, ended = conversation.converse(engine, session, "go")
    assert isinstance(ended, Ended)
    assert len(ended.text) == size // 6


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refused("refused", state={**IDLE, "value": "working"}), OrderRefused, "session 'web': no"),
        (refused("refused"), OrderRefused, "session 'web': no"),
        (refused("usage"), UsageError, "session 'web': no"),
        (refused("server", "model\x1b[2J said\n no"), AgentServerError, "session 'web': model said no"),
        (refused("timeout"), TimedOut, "session 'web': no"),
        (refused("strange"), AgentServerError, "cannot be understood"),
        (said({"error": "no"}, status=1), AgentServerError, "cannot be understood"),
        (said(b"Traceback (most recent call last):"), AgentServerError, "cannot be understood"),
        (said(b"[" * 100_000), AgentServerError, "cannot be understood"),
        (said(["turn"]), AgentServerError, "cannot be understood"),
        (said({"turn": 7}), AgentServerError, "turn is not a text"),
        (said(b'{"turn": "1", "x": NaN}'), AgentServerError, "cannot be understood"),
        (said(b"\xff\xfe"), AgentServerError, "cannot be understood"),
        (said(b"x" * (agent_command.LARGEST_ANSWER + 1)), AgentServerError, "more than 64000000 bytes"),
        (said(), AgentServerError, "ended with status 0: it printed nothing"),
        (ExecResult(exit_code=3, stderr=b"boom\x1b]0;t\x07"), AgentServerError, "ended with status 3: boom"),
        (
            ExecResult(exit_code=127, stderr=b'exec: "/usr/lib/agent-session/agent-command": not found'),
            ImageTooOld,
            "older",
        ),
        (ExecResult(exit_code=124), TimedOut, "did not end its `prompt` in time"),
    ],
)
def test_what_is_no_turn_is_told_in_our_words(
    made: Make, answer: ExecResult, error: type[AgentSessionError], words: str
) -> None:
    engine, session = made(lambda _command, _stdin: answer)
    with pytest.raises(error) as caught:
        conversation.prompt(engine, session, "go")
    assert words in caught.value.message
    assert "\x1b" not in caught.value.message
    assert caught.value.hint.startswith("agent-session ")


@pytest.mark.parametrize(
    ("doing", "hint"),
    [
        ("working", "wait web"),
        ("waiting", "answer web once"),
        ("exited", "restart web"),
        ("unknown", "screen web"),
    ],
)
def test_a_refusal_says_what_to_type(made: Make, doing: str, hint: str) -> None:
    engine, session = made(lambda _command, _stdin: refused("refused", state={**IDLE, "value": doing}))
    with pytest.raises(ConflictError) as caught:
        conversation.prompt(engine, session, "go")
    assert caught.value.hint == f"agent-session {hint}"


@pytest.mark.parametrize(
    "line",
    [
        {**END, "text": None},
        {**END, "state": None},
        {**END, "state": {**IDLE, "value": "sleeping"}},
        {**END, "tools": [{"input": {}}]},
        {**END, "tools": {}},
        {**END, "duration_s": "1"},
        {**END, "usage": []},
        {"type": "text"},
        {"type": "waiting", "question": {"text": "?", "choices": [1]}},
        {"text": "no type"},
    ],
)
def test_an_event_of_another_shape_is_refused(made: Make, line: dict[str, Any]) -> None:
    engine, session = made(lambda _command, _stdin: said({"type": "turn", "turn": "1"}, line, END))
    with pytest.raises(AgentServerError, match="cannot be understood"):
        list(conversation.converse(engine, session, "go"))


def test_a_turn_without_an_end_is_an_error_after_what_it_told(made: Make) -> None:
    engine, session = made(
        lambda _command, _stdin: said({"type": "turn", "turn": "1"}, {"type": "text", "text": "a"})
    )
    told: list[object] = []

    def listen() -> Iterator[object]:
        for event in conversation.converse(engine, session, "go"):
            told.append(event)
            yield event

    with pytest.raises(AgentServerError, match="the turn has no end"):
        list(listen())
    assert told == [Taken(turn="1"), Said(text="a")]


def test_half_a_character_can_be_printed(made: Make) -> None:
    engine, session = made(
        lambda _command, _stdin: said(
            {"type": "turn", "turn": "1"}, b'{"type": "text", "text": "\\ud800"}', END
        )
    )
    assert Said(text="\N{REPLACEMENT CHARACTER}") in list(conversation.converse(engine, session, "go"))


def test_an_agent_that_starts_is_waited_for(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_command, "AGAIN_SECONDS", 0)
    starting = {**IDLE, "value": "starting"}
    script = [
        (["prompt"], refused("refused", "it starts", state=starting)),
        (["prompt"], refused("refused", "it starts", state=starting)),
        (["prompt"], said({"turn": "1"})),
    ]

    def answer(command: Sequence[str], _stdin: bytes) -> ExecResult:
        expected, told = script.pop(0)
        assert command == expected
        return told

    engine, session = made(answer)
    assert conversation.prompt(engine, session, "go") == "1"
    assert not script


def test_an_agent_that_never_starts_is_a_time_out(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_command, "AGAIN_SECONDS", 0)
    starting = {**IDLE, "value": "starting"}

    engine, session = made(lambda _command, _stdin: refused("refused", state=starting))
    with pytest.raises(TimedOut, match="still starting"):
        conversation.prompt(engine, session, "go", timeout=0.05)


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (sanitize.LARGEST_TYPED + 1)])
def test_no_text_and_too_much_are_refused_before_anything_runs(made: Make, text: str) -> None:
    engine, session = made(lambda _command, _stdin: pytest.fail("it ran"))
    with pytest.raises(UsageError):
        conversation.prompt(engine, session, text)
    with pytest.raises(UsageError):
        conversation.answer(engine, session, text)


WAITING = {**IDLE, "value": "waiting", "question": {**QUESTION, "id": "q7"}}


@pytest.mark.parametrize(
    ("typed", "instead", "sent", "done"),
    [
        ("once", "", b"once", "approved once: Bash: make"),
        (" YES\n", "", b"once", "approved once: Bash: make"),
        ("1", "", b"once", "approved once: Bash: make"),
        ("y", "", b"once", "approved once: Bash: make"),
        ("Always", "", b"always", "approved always: Bash: make"),
        ("N", "", b"reject", "rejected: Bash: make"),
        ("no", "run it\nlater", b"reject\nrun it\nlater", "rejected with a message: Bash: make"),
    ],
)
def test_an_answer_is_sent_in_canonical_words_to_the_question_that_was_seen(
    made: Make, typed: str, instead: str, sent: bytes, done: str
) -> None:
    got: list[tuple[Sequence[str], bytes]] = []

    def answer(command: Sequence[str], stdin: bytes) -> ExecResult:
        got.append((command, stdin))
        return said(WAITING if command == ["state"] else {})

    engine, session = made(answer)
    assert conversation.answer(engine, session, typed, instead=instead).done == done
    assert got[-1] == (["answer", "--question", "q7"], sent)


@pytest.mark.parametrize(
    "typed", ["ok", "oncee", "maybe", "2", "ye", "always!", "do it", "\N{FULLWIDTH DIGIT ONE}"]
)
def test_what_answers_no_permission_is_refused_and_nothing_is_sent(made: Make, typed: str) -> None:
    engine, session = made(
        lambda command, _stdin: said(WAITING) if command == ["state"] else pytest.fail("it was sent")
    )
    with pytest.raises(UsageError, match=r"once \(or y, yes, 1\), always, reject \(or n, no\)"):
        conversation.answer(engine, session, typed)


def test_nothing_is_sent_where_nothing_is_asked(made: Make) -> None:
    engine, session = made(
        lambda command, _stdin: said(IDLE) if command == ["state"] else pytest.fail("it was sent")
    )
    with pytest.raises(OrderRefused, match="the agent asks nothing: it is idle"):
        conversation.answer(engine, session, "once")


def test_an_abort_is_one_order(made: Make) -> None:
    got: list[Sequence[str]] = []

    def answer(command: Sequence[str], _stdin: bytes) -> ExecResult:
        got.append(command)
        return said({})

    engine, session = made(answer)
    conversation.abort(engine, session)
    assert got == [["abort"]]


def test_models_and_history_are_read_strictly(made: Make) -> None:
    answers: dict[str, dict[str, Any]] = {
        "models": {"models": [{"id": "a/b", "name": "B", "current": True, "new": 1}, {"id": "c"}]},
        "history": {
            "entries": [{"role": "user", "text": "hello"}, {"role": "assistant", "tools": [{"name": "Bash"}]}]
        },
    }
    engine, session = made(lambda command, _stdin: said(answers[command[0]]))
    assert [(m.id, m.name, m.current) for m in conversation.models(engine, session)] == [
        ("a/b", "B", True),
        ("c", "c", False),
    ]
    assert [(e.role, e.text, len(e.tools)) for e in conversation.history(engine, session, limit=5)] == [
        ("user", "hello", 0),
        ("assistant", "", 1),
    ]
    assert len(conversation.history(engine, session, limit=1)) == 1
    answers |= {"models": {"models": {}}, "history": {"entries": [{"role": "root", "text": "x"}]}}
    with pytest.raises(AgentServerError):
        conversation.models(engine, session)
    with pytest.raises(AgentServerError):
        conversation.history(engine, session, limit=5)


def test_a_session_that_stops_meanwhile_says_so(made: Make) -> None:
    engine, session = made(lambda _command, _stdin: said())

    def stop(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        engine.stop(session.container)
        return ExecResult(exit_code=137)

    engine.commands = stop
    with pytest.raises(SessionStopped):
        conversation.abort(engine, session)


def test_a_session_that_stopped_before_the_order_says_so(made: Make) -> None:
    engine, session = made(lambda _command, _stdin: said({"turn": "1"}))
    engine.stop(session.container)
    with pytest.raises(SessionStopped):
        conversation.prompt(engine, session, "go")
