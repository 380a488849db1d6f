"""A session's name left out: what each verb takes it for."""

import os
import sys

import pytest

from agent_session.host import child_process
from tests.unit.machine import Machine

ALONE = (["status"], ["logs"], ["screen"], ["stop"], ["wait", "--until", "unknown", "--timeout", "0"])


@pytest.fixture
def web(machine: Machine) -> Machine:
    machine.ok("start", "-d", "-n", "web")
    return machine


@pytest.mark.parametrize("arguments", ALONE, ids=lambda words: str(words[0]))
def test_without_a_name_the_session_of_this_directory_is_meant(web: Machine, arguments: list[str]) -> None:
    web.ok("start", "-d", "-n", "default", str(web.directory("elsewhere")))
    assert web(*arguments) == web(*arguments[:1], "web", *arguments[1:])


@pytest.mark.parametrize("arguments", ALONE, ids=lambda words: str(words[0]))
def test_a_name_that_could_be_several_is_asked_for(
    web: Machine, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    web.ok("start", "-d", "-n", "api", str(web.directory("api")))
    monkeypatch.chdir("/")
    ran = web(*arguments)
    assert ran.code == 2
    assert "api, web; name one" in ran.err
    assert f"hint: agent-session {arguments[0]} api" in ran.err


def test_one_word_is_a_name_where_there_is_such_a_session_and_else_the_text(
    web: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", nothing)
        assert "there is nothing to type" in web("send", "web").err
        assert web("send", "hello").code == 0
        assert web("send", "web", "hello").code == 0
        assert web("send", "wbe", "hello").code == 4


def test_with_text_piped_in_one_word_is_a_name(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"fix it\n")
    os.close(writing)
    with open(reading) as piped:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", piped)
        ran = web("prompt", "wbe")
    assert (ran.code, "session 'wbe' not found" in ran.err) == (4, True)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The podman commands that `exec` has run beside itself, where there is no terminal."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> int:
        ran.append(command)
        return 7

    monkeypatch.setattr(child_process, "run_for_reader", run)
    return ran


def test_a_command_after_two_dashes_runs_in_the_session_of_this_directory(
    web: Machine, commands: list[list[str]]
) -> None:
    assert web("exec", "--", "ls", "-la").code == 7
    assert "agent_web" in commands[0]
    assert commands[0][-2:] == ["ls", "-la"]
    assert web("exec", "nosuch", "ls").code == 4


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["-it", "web", "bash"], ["bash"]),
        (["-i", "web", "ls", "-t"], ["ls", "-t"]),
        (["-t", "-i", "web", "--", "ls"], ["ls"]),
        (["web"], ["bash"]),
        ([], ["bash"]),
    ],
)
def test_exec_takes_dockers_flags_and_is_a_shell_without_a_command(
    web: Machine, commands: list[list[str]], typed: list[str], words: list[str]
) -> None:
    assert web("exec", *typed).code == 7
    assert commands[0][commands[0].index("/usr/local/bin/session-exec") + 1 :] == words


def test_a_copy_from_session_to_session_is_told_in_two_commands(web: Machine) -> None:
    ran = web("cp", "-r", "web:src/a b", "api:")
    assert ran.code == 2
    assert "hint: agent-session cp 'web:src/a b' '/tmp/a b' && agent-session cp '/tmp/a b' api:\n" in ran.err


def test_a_name_or_all_is_required_to_remove(web: Machine) -> None:
    web.ok("start", "-d", "-n", "api", str(web.directory("api")))
    web.ok("stop", "--all")
    assert web("rm", "-f").code == 2
    assert web("rm", "-f", "--all", "web").code == 2
    assert len(web.listed()) == 2
    web.ok("rm", "-f", "--all")
    assert web.listed() == []
    assert web.ok("rm", "-f", "--all") == ""
