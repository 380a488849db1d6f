"""The help: whole lines at 80 columns, groups, no word of Python's, and examples that can be typed."""

import re
import shlex

import pytest
import typer

from agent_session.cli import app, verbs
from agent_session.cli.verbs import GROUPS, VERBS
from tests.unit.machine import Machine

TYPES = re.compile(r"<[a-z\[\]]+>|\{[A-Z]+|\[\[|\b(?:str|int|bool)\b|\bTEXT\b")


@pytest.fixture
def narrow(bare: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("COLUMNS", "80")
    return bare


def test_every_summary_is_whole_at_80_columns(narrow: Machine) -> None:
    lines = narrow.ok("--help").splitlines()
    for verb in VERBS.values():
        assert len(verb.summary) <= 45
        assert any(
            line.split()[:1] in ([verb.name], [f"{verb.name},"]) and line.endswith(verb.summary)
            for line in lines
        )
    assert max(map(len, lines)) <= 80


def test_the_verbs_are_in_groups_and_the_groups_in_their_order(narrow: Machine) -> None:
    headings = re.findall(r"^([A-Z][a-z ]+):$", narrow.ok("--help"), re.MULTILINE)
    assert headings == [*GROUPS, "Options"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_fits_and_has_no_type_of_python_in_it(narrow: Machine, verb: str) -> None:
    out = narrow.ok(verb, "-h")
    assert max(map(len, out.splitlines())) <= 80
    assert not TYPES.search(re.sub(r"TEXT\|-|\[TEXT\]|\|TEXT|after TEXT|before TEXT", "", out))
    assert not re.search(r"\]\s*\.\.\.\]", out)
    assert narrow.ok("help", verb) == out


def test_the_options_of_start_are_in_groups(narrow: Machine) -> None:
    headings = re.findall(r"^([A-Z][a-z]+):$", narrow.ok("start", "-h"), re.MULTILINE)
    assert headings == [
        "Arguments",
        "Session",
        "Agent",
        "Projects",
        "Access",
        "Limits",
        "Options",
        "Examples",
    ]


@pytest.mark.parametrize("verb", ["start", "prompt", "wait", "cp", "exec"])
def test_there_are_examples_of_what_is_typed_most(narrow: Machine, verb: str) -> None:
    assert len(VERBS[verb].examples) in {2, 3}
    assert all(f"\n  {command}\n" in narrow.ok(verb, "-h") for command, _ in VERBS[verb].examples)


@pytest.mark.parametrize("example", [command for verb in VERBS.values() for command, _ in verb.examples])
def test_each_example_is_a_command_line_that_is_understood(example: str) -> None:
    group = typer.main.get_command(app.app)
    own = [part for part in re.split(r" \| | && ", example) if part.startswith("agent-session")]
    assert own
    for part in own:
        _, verb, *words = shlex.split(part)
        context = group.make_context("agent-session", [verb, *words])
        group.commands[verb].make_context(verb, words, parent=context)  # type: ignore[attr-defined]


def test_every_verb_has_a_module_with_its_function() -> None:
    assert all(callable(app.Verbs().commands[name].callback) for name in VERBS)


def test_an_alias_is_its_verb(narrow: Machine) -> None:
    assert narrow.ok("ps", "--json") == narrow.ok("ls", "--json") == "[]\n"
    assert narrow.ok("help", "ps") == narrow.ok("help", "ls")
    assert verbs.find("ps") == VERBS["ls"]


@pytest.mark.parametrize("words", [["version"], ["-V"], ["--version"]])
def test_the_version_has_three_names(narrow: Machine, words: list[str]) -> None:
    assert narrow.ok(*words) == narrow.ok("version")


def test_help_of_what_is_no_command_says_which_one_is_near(narrow: Machine) -> None:
    ran = narrow("help", "strat")
    assert ran.code == 2
    assert "did you mean 'start'?" in ran.err
    assert narrow("help", "x").code == 2


def test_without_a_verb_the_sessions_and_the_commands_are_shown(machine: Machine) -> None:
    machine.ok("start", "-d", "-n", "web")
    ran = machine()
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.index("web ") < ran.out.index("Usage: agent-session") < ran.out.index("  start ")
    assert "--config" not in ran.out
