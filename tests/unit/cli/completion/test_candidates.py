"""What is offered for the last word of a command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from agent_session import __version__
from agent_session.cli import app, run, schema
from agent_session.cli.completion import cache, candidates
from agent_session.cli.completion import sessions as glance

KNOWN = schema.read(typer.main.get_command(app.app))
SESSIONS = [
    glance.Glimpse(name="api.v2", agent="claude", running=False),
    glance.Glimpse(name="web-1", agent="shell", running=True),
]


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance, "sessions", lambda _environment: SESSIONS)


def offered(*words: str) -> list[str]:
    return [word for word, _ in candidates.offers(KNOWN, words, {})]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["re"], ["restart", "rename", "review"]),
        (["start", "--no-b"], ["--no-build"]),
        (["logs", ""], ["api.v2", "web-1"]),
        (["stop", ""], ["web-1"]),
        (["attach", ""], ["web-1"]),
        (["rm", ""], ["api.v2"]),
        (["stop", "web-1", ""], []),
        (["stop", "--", "w"], ["web-1"]),
        (["stop", "--", "-"], []),
        (["start", "--name", "a"], ["api.v2"]),
        (["start", "--name=a"], ["--name=api.v2"]),
        (["start", "-dna", "w"], [":directories"]),
        (["start", "-dn", "w"], ["web-1"]),
        (["cp", "w"], ["web-1:", ":files"]),
        (["cp", "web-1:a", "w"], [":files"]),
        (["cp", "a", "b", ""], []),
        (["exec", "web-1", ""], []),
        (["export", "api.v2", ""], [":files"]),
        (["--config", ""], [":files"]),
        (["--config", "x", "sto"], ["stop"]),
        (["start", "-a", "op"], ["opencode"]),
        (["send", "web-1", "--key", "Pg"], ["PgUp", "PgDn"]),
        (["wait", "--until", "wa"], ["waiting"]),
        (["wait", "web-1", ""], ["api.v2"]),
        (["watch", "--on", "id"], ["idle"]),
        (["watch", "--on", "idle", "mail", "--j"], ["--json"]),
        (["answer", ""], ["web-1"]),
        (["answer", "web-1", ""], ["once", "always", "reject"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["no-such-verb", ""], []),
    ],
)
def test_what_is_offered_is_what_could_stand_there(words: list[str], wanted: list[str]) -> None:
    assert offered(*words) == wanted


def test_each_option_of_each_verb_is_offered() -> None:
    for verb in KNOWN.verbs.values():
        assert offered(verb.name, "-") == [name for option in verb.options for name in option.names], (
            verb.name
        )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("agent-session sto", ["sto"]),
        ("agent-session stop ", ["stop", ""]),
        ('agent-session stop "we', ["stop", "we"]),
        ("agent-session stop 'a b", ["stop", "a b"]),
    ],
)
def test_a_line_of_bash_is_read_as_bash_would(line: str, words: list[str]) -> None:
    assert candidates._split(line) == words


def test_no_podman_means_no_names_and_no_word_about_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run.run(["__complete", "stop", ""]) == 0
    assert capsys.readouterr() == ("", "")


def test_words_are_kept_as_they_are_in_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dict(cache.known(tmp_path / "cache").verbs) == dict(KNOWN.verbs)
    with monkeypatch.context() as kept:
        kept.setattr(cache, "_of_the_program", lambda: pytest.fail("it was made anew"))
        found = cache.known(tmp_path / "cache")
    assert (found.help, found.epilog, found.options) == (KNOWN.help, KNOWN.epilog, KNOWN.options)
    assert dict(found.verbs) == dict(KNOWN.verbs)


@pytest.mark.parametrize("broken", ["", "[]", "{}", "null", '{"made_of": []}', "older"])
def test_words_of_another_program_or_of_none_are_made_anew(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "cache"
    file = folder / cache.FILE
    cache.known(folder)
    good = file.read_text()
    file.write_text(
        good.replace(__version__, "0.0.0", 1).replace('"start"', '"begin"') if broken == "older" else broken
    )
    assert list(cache.known(folder).verbs) == list(KNOWN.verbs)
    assert file.read_text() == good
    assert list(folder.iterdir()) == [file]


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert list(cache.known(tmp_path / "file" / "cache").verbs) == list(KNOWN.verbs)


def test_a_word_is_completed_without_what_reads_command_lines() -> None:
    program = (
        "import sys; from agent_session.cli.run import run; run(['__complete', 'stop', "
        "'--']); print(*sys.modules, file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(Path(cache.__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"} | {
        name: os.environ[name] for name in ("HOME", "PATH")
    }
    loaded: list[str] = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        assert "--all" in done.stdout
        loaded = done.stderr.split()
    assert not {name.split(".")[0] for name in loaded} & {"typer", "tempfile", "yaml", "podman"}


def test_a_shell_that_is_not_known_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.run(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
