"""The key that leaves a session: what it may be, and which programs around a terminal take it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_session.host import detach_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Ctrl q", "Ctrl q"),
        ("ctrl-q", "Ctrl q"),
        ("CTRL+Q", "Ctrl q"),
        ("C-q", "Ctrl q"),
        ("Ctrl ]", "Ctrl ]"),
        ("ctrl-space", "Ctrl space"),
        ("alt x", "Alt x"),
        ("C-M-q", "Ctrl Alt q"),
        ("ctrl alt c", "Ctrl Alt c"),
        ("f12", "F12"),
        ("Alt F1", "Alt F1"),
    ],
)
def test_a_key_is_read_as_people_write_it(text: str, key: str) -> None:
    assert detach_key.read(text) == key
    assert detach_key.read(key) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "q",
        "c",
        "space",
        "Ctrl",
        "Ctrl qq",
        "F13",
        "Ctrl /",
        'Ctrl " { Quit; }',
        "Ctrl \n",
        "Shift q",
        "Ctrl é",
    ]
    + [f"Ctrl {key}" for key in "chijm["],
)
def test_what_cannot_be_a_key_or_is_the_agents_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        detach_key.read(text)


OWN_ZELLIJ = {"ZELLIJ": "0", "ZELLIJ_SESSION_NAME": "host"}
VSCODE = {"TERM_PROGRAM": "vscode"}


@pytest.mark.parametrize("environment", [OWN_ZELLIJ, VSCODE])
def test_where_a_program_takes_ctrl_q_another_key_is_chosen_and_told(environment: dict[str, str]) -> None:
    key, said = detach_key.choose(None, environment)
    assert key == "Ctrl ]"
    assert "Ctrl ] detaches" in said


def test_in_a_plain_terminal_it_is_ctrl_q_and_nothing_is_told() -> None:
    for environment in ({}, {"TERM_PROGRAM": "iTerm.app"}, {"TMUX": ""}):
        assert detach_key.choose(None, environment) == ("Ctrl q", "")


def test_a_chosen_key_is_used_with_a_warning_where_it_may_be_taken() -> None:
    assert detach_key.choose("F12", OWN_ZELLIJ) == ("F12", "")
    key, said = detach_key.choose("Ctrl q", OWN_ZELLIJ)
    assert key == "Ctrl q"
    assert said.startswith("warning: your Zellij")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """The beginning of a command to a tmux server of the test's own."""
    command = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d", "cat"], check=True)
    yield command
    subprocess.run([*command, "kill-server"], check=True)


@pytest.mark.parametrize(
    "setting",
    [["set", "-g", "prefix", "C-q"], ["set", "-g", "prefix2", "C-q"], ["bind", "-n", "C-q", "kill-pane"]],
)
def test_a_tmux_that_has_ctrl_q_is_noticed(tmux: list[str], setting: list[str]) -> None:
    environment = {**os.environ, "TMUX": f"{tmux[2]},1,0"}
    assert detach_key.choose(None, environment) == ("Ctrl q", "")
    subprocess.run([*tmux, *setting], check=True)
    key, said = detach_key.choose(None, environment)
    assert (key, "your tmux" in said) == ("Ctrl ]", True)
