"""Terminals and locales that have not all characters, or little room: no verb minds."""

import json

import pytest

from tests.account import Account

pytestmark = pytest.mark.e2e
PROJECT = "größe-例-✻"
POOR = {
    "an ASCII stream": {"PYTHONIOENCODING": "ascii"},
    "a latin-1 stream": {"PYTHONIOENCODING": "latin-1"},
    "LANG=C": {"LANG": "C", "LC_ALL": "C"},
}


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(poor, id=name, marks=pytest.mark.long if name == "a latin-1 stream" else [])
        for name, poor in POOR.items()
    ],
)
def test_no_verb_fails_for_a_character_that_cannot_be_shown(
    account: Account, environment: dict[str, str]
) -> None:
    project = account.project(PROJECT)
    (account.home / "file").write_text("x")
    account.agent("poor", yaml="title: Größe 例\n")
    for verb in (
        ["agents"],
        ["agents", "--json"],
        ["start", "--dry-run", "-a", "shell", "-n", "web", project],
        ["start", "-d", "-a", "shell", "-n", "web", project],
        ["-vv", "ls"],
        ["ls"],
        ["send", "web", "echo größe 例"],
        ["exec", "web", "--", "touch", f"/workspace/{PROJECT}/größe-例"],
        ["cp", "file", "web:größe-例-2"],
        ["cp", "web:größe-例-2", "."],
        ["screen", "web"],
        ["screen", "web", "--scrollback", "--svg", "größe.svg"],
        ["logs", "web"],
        ["stop", "web"],
        ["export", "web", "größe-例.tar.zst"],
        ["rm", "-f", "--discard-work", "web"],
        ["start", "-d", "--import", "größe-例.tar.zst", str(project)],
        ["stop", "--all"],
    ):
        done = account.run(*verb, env=environment)
        assert done.code == 0, (verb, done.err)
        assert "Traceback" not in done.err
    listed = json.loads(account.ok("ls", "--json", env=environment))
    assert [item["source"] for item in listed[0]["projects"]] == [str(project)]
    missing = account.run("stop", "größe-例", env=environment)
    assert missing.code == 2
    assert "Traceback" not in missing.err


def test_where_no_file_name_can_be_told_either_that_is_an_error_and_no_bug(account: Account) -> None:
    account.agent("poor", yaml="title: Größe 例\n")
    taken_at_its_word = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert "Gr??e ?" in account.ok("agents", env=taken_at_its_word)
    assert json.loads(account.ok("agents", "--json", env=taken_at_its_word))
    refused = account.run("start", "-d", "-a", "shell", account.project(PROJECT), env=taken_at_its_word)
    assert (refused.code, "Traceback" in refused.err) == (2, False)


def test_ls_fits_a_narrow_terminal_and_is_whole_in_a_pipe(account: Account) -> None:
    project = account.project("a-customer-with-a-very-long-name/and-a-project-with-another")
    account.ok("start", "-d", "-a", "shell", "-n", "web", project)
    window = account.window("ls", columns=60)
    window.wait_for_end()
    lines = [line.rstrip() for line in window.screen().splitlines() if line.strip()]
    assert len(lines) == 2
    assert lines[1].startswith("web ")
    assert lines[1].endswith("another")
    assert len(lines[1]) <= 60
    assert str(project) in account.ok("ls")


def test_no_color_is_respected_on_a_terminal(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "web", account.project("webapp"))
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        window = account.window("ls", env=environment)
        window.wait_for_end()
        assert ("\x1b[32mrunning" in window.screen(escapes=True)) == coloured
