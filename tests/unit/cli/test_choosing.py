"""Labels and notes of the user's own, and the sessions that `ls` is told to choose, sort and write."""

import json

import pytest

from tests.unit.machine import Machine


@pytest.fixture
def three(machine: Machine) -> Machine:
    """Sessions "api" and "web", labelled and running, and "old", which is stopped."""
    machine.ok("start", "-d", "-a", "shell", "-n", "web", "--label", "team=web", "--label", "prio=1")
    machine.ok("start", "-d", "-a", "opencode", "-n", "api", "--label", "team=api")
    machine.ok("start", "-d", "-a", "shell", "-n", "old", str(machine.directory("docs")))
    machine.ok("stop", "old")
    return machine


def chosen(machine: Machine, *words: str) -> list[str]:
    return machine.ok("ls", "--names", *words).split()


def test_labels_stay_with_a_session_and_are_shown(three: Machine) -> None:
    three.ok("restart", "-d", "web")
    assert three.listed()[2]["labels"] == {"team": "web", "prio": "1"}
    assert "team=web, prio=1" in three.ok("ls", "--wide")
    assert "team=web" in three.ok("status", "web")
    three.ok("stop", "web")
    three.ok("start", "-d", "-n", "web", "--label", "none")
    assert three.listed()[2]["labels"] == {}


@pytest.mark.parametrize("text", ["team", "=web", "-x=1", "a=\x1b[1m", "", "a b=c"])
def test_what_is_no_label_is_refused(machine: Machine, text: str) -> None:
    assert machine("start", "-d", "-a", "shell", "--label", text).code == 2


def test_sessions_are_chosen_by_what_they_are(three: Machine) -> None:
    assert chosen(three, "--filter", "label=team=web") == ["web"]
    assert chosen(three, "--filter", "label=team") == ["api", "web"]
    assert chosen(three, "--filter", "status=stopped") == ["old"]
    assert chosen(three, "--filter", "agent=shell", "--filter", "status=running") == ["web"]
    assert chosen(three, "--filter", "name=api", "--filter", "name=old") == ["api", "old"]
    assert chosen(three, "--filter", "project=docs") == ["old"]
    assert chosen(three, "--filter", "state=waiting") == []
    ran = three("ls", "--filter", "state=waiting")
    assert (ran.code, "no session fits" in ran.err) == (0, True)


def test_what_is_no_filter_or_order_is_refused(three: Machine) -> None:
    assert three("ls", "--filter", "colour=red").code == 2
    assert three("ls", "--sort", "size").code == 2
    assert three("ls", "--format", "{nothing}").code == 2
    assert three("ls", "--wide", "--json").code == 2


def test_sessions_are_sorted(three: Machine) -> None:
    assert chosen(three, "--sort", "created") == ["web", "api", "old"]
    assert chosen(three, "--sort", "agent") == ["api", "old", "web"]
    assert set(chosen(three, "--sort", "state")) == {"web", "api", "old"}


def test_a_line_is_written_by_a_template(three: Machine) -> None:
    said = three.ok("ls", "--format", r"{name}\t{status}\t{labels.team}\t{pids}{model}")
    assert said.splitlines() == ["api\trunning\tapi\t4096", "old\tstopped\t\t4096", "web\trunning\tweb\t4096"]


def test_a_note_is_kept_shown_and_goes_with_the_session(three: Machine) -> None:
    three.ok("note", "old", "waits", "for", "Anna\x1b[31m")
    assert three.ok("note", "old").startswith("waits for Anna")
    assert "\x1b" not in three.ok("note", "old")
    assert "waits for Anna" in three.ok("ls", "--wide")
    assert "waits for Anna" in three.ok("status", "old")
    assert json.loads(three.ok("status", "old", "--json"))["note"].startswith("waits for Anna")
    three.ok("rm", "--force", "old")
    three.ok("start", "-d", "-a", "shell", "-n", "old")
    assert three.ok("note", "old") == ""


def test_an_empty_note_is_none_and_a_session_that_is_not_there_has_none(three: Machine) -> None:
    three.ok("note", "web", "x")
    three.ok("note", "web", "")
    assert three.ok("note", "web") == ""
    assert three("note", "nobody", "x").code == 4
