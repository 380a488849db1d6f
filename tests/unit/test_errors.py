"""Every expected failure has words, and an exit code that is documented."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import pytest

from agent_session import errors
from agent_session.activity.errors import ImageTooOld, NeedsAnswer, OrderRefused
from agent_session.agents.errors import AgentNotFound
from agent_session.cli.app import EXIT_CODES
from agent_session.engine.errors import NameTaken
from agent_session.errors import AgentSessionError, Hint, edit
from agent_session.images.errors import ImageMissing
from agent_session.sessions.errors import BadName, SessionConflict, SessionNotFound, SessionRunning
from agent_session.workspace.errors import ProjectRefused

HOUSE = {
    errors.UsageError: 2,
    errors.ConfigurationError: 3,
    errors.NotFoundError: 4,
    errors.ConflictError: 5,
    errors.EngineUnavailable: 6,
    errors.EngineRefused: 7,
    errors.BuildFailed: 8,
    errors.NotReady: 9,
    errors.AgentServerError: 10,
    errors.TimedOut: 124,
    errors.Interrupted: 130,
}

EXAMPLES = [
    (BadName("a b"), "'a b' cannot name a session"),
    (
        ProjectRefused(Path("/x y"), "it is not a directory"),
        "cannot use '/x y' as a project: it is not a directory",
    ),
    (errors.ConfigurationError(Path("/c.yaml"), "unknown key 'x'"), "/c.yaml: unknown key 'x'"),
    (SessionNotFound("web"), "session 'web' not found"),
    (AgentNotFound("x", ["b", "a"]), "agent 'x' not found; there are: a, b"),
    (
        SessionConflict("web", has="agent a", asked="agent b", instead=errors.Hint("start", ["-n", "x"])),
        "session 'web' already exists with agent a; asked for: agent b",
    ),
    (SessionRunning("web"), "cannot remove running session 'web'"),
    (OrderRefused("web", "session 'web': it works", doing="working"), "session 'web': it works"),
    (NeedsAnswer("web", "Bash: make"), "session 'web' waits for an answer: Bash: make"),
    (ImageTooOld("web"), "session 'web' has an image of an older agent-session"),
    (NameTaken("web", "agent_web"), "the container 'agent_web' exists already and is not a session"),
    (ImageMissing("claude"), "Image not built"),
    (
        errors.NotReady("web", "no screen", ["one", "two"]),
        "session 'web' did not become ready: no screen\n  one\n  two",
    ),
]


def classes(top: type[AgentSessionError] = AgentSessionError) -> Iterator[type[AgentSessionError]]:
    for child in top.__subclasses__():
        yield child
        yield from classes(child)


KINDS = list(classes())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_class_belongs_to_one_family_and_has_its_exit_code(kind: type[AgentSessionError]) -> None:
    families = [family for family in HOUSE if issubclass(kind, family)]
    assert len(families) == 1
    assert kind.exit_code == HOUSE[families[0]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_exit_code_can_be_taken_for_the_shells(kind: type[AgentSessionError]) -> None:
    assert 1 < kind.exit_code < 125 or kind is errors.Interrupted


@pytest.mark.parametrize("code", [*HOUSE.values(), 0, 1])
def test_help_documents_every_exit_code(code: int) -> None:
    assert re.search(rf"\b{code} \w", EXIT_CODES)


@pytest.mark.parametrize(
    ("error", "words"), EXAMPLES, ids=lambda item: type(item).__name__ if isinstance(item, Exception) else ""
)
def test_an_error_owns_its_words(error: AgentSessionError, words: str) -> None:
    assert error.message.startswith(words)
    assert str(error) == error.message


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_names_a_command_to_type(error: AgentSessionError) -> None:
    assert error.hints
    assert all(hint.verb or hint.shell for hint in error.hints)


@pytest.mark.parametrize("kind", [AgentSessionError, *KINDS], ids=lambda kind: kind.__name__)
def test_every_class_has_a_code_of_its_own_for_programs(kind: type[AgentSessionError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    everybody: list[type[AgentSessionError]] = [AgentSessionError, *KINDS]
    assert [other.code for other in everybody].count(kind.code) == 1


@pytest.mark.parametrize("name", ["web", "a b", "it's", "$HOME", "-x", "größe"])
def test_a_hint_can_be_pasted_whatever_its_arguments_are(name: str) -> None:
    hint = Hint("stop", [name], then=Hint("start", ["-n", name]), note="a remark")
    words = shlex.split(hint.command("/a b/agent-session"))
    called = "/a b/agent-session"
    assert words == [called, "stop", name, "&&", called, "start", "-n", name]
    assert hint.text().endswith("   (a remark)")


def test_a_hint_can_end_as_a_shell_reads_it() -> None:
    assert Hint("cp", ["a b:x", "-"], shell="| tar -t").command() == "agent-session cp 'a b:x' - | tar -t"
    assert edit("/a b/config.yaml").command() == "$EDITOR '/a b/config.yaml'"


def test_several_hints_are_several_ways_on() -> None:
    error = AgentSessionError("no", hint=[Hint("ls"), Hint(shell="df -h")])
    assert error.hint == "agent-session ls, or: df -h"
    assert AgentSessionError("no").hint == ""


@pytest.mark.parametrize(
    ("signal", "code"), [(Signals.SIGINT, 130), (Signals.SIGTERM, 143), (Signals.SIGHUP, 129)]
)
def test_being_ended_by_a_signal_exits_as_shells_expect(signal: Signals, code: int) -> None:
    assert errors.Interrupted(signal).exit_code == code
