"""What is said on stderr: everything with -v, nothing but errors with --quiet."""

import re

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman
LINE = re.compile(r"^ *[0-9]+\.[0-9] ms  [a-z_.]+( .*)?$")
SECRET = "sk-ant-not-to-be-seen"


def test_each_call_is_told_with_its_time_and_results_stay_results(account: Account) -> None:
    done = account.run("-v", "start", "-d", "-a", "shell", "-n", "web", account.project("webapp"))
    assert done.out == "web\n"
    lines = done.err.splitlines()
    assert all(LINE.match(line) for line in lines)
    assert any("create agent_web of localhost/agent-session-shell" in line for line in lines)
    assert any("exec agent_web /usr/local/bin/session-seed" in line for line in lines)
    assert account.run("ls", "--json", env={"AGENT_SESSION_VERBOSE": "1"}).err


def test_twice_tells_commands_and_requests_and_never_a_secret(account: Account) -> None:
    account.ok("build", "shell")
    environment = {"ANTHROPIC_API_KEY": SECRET, "GH_TOKEN": SECRET}
    done = account.run(
        "-vv",
        "start",
        "-d",
        "-a",
        "shell",
        "-n",
        "web",
        "--github-token",
        account.project("webapp"),
        env=environment,
    )
    assert done.code == 0, done.err
    assert re.search(
        r"^ +\S*podman exec -i (\S+ )*agent_web /usr/local/bin/session-seed", done.err, re.MULTILINE
    )
    assert "/containers/create" in done.err
    assert SECRET not in done.err + done.out


@pytest.mark.parametrize("verb", [["status"], ["logs"], ["wait"], ["ls"]], ids=" ".join)
def test_of_a_running_session_podman_is_asked_once(account: Account, verb: list[str]) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("wait", "default")
    done = account.run("-vv", *verb, *([] if verb == ["ls"] else ["default"]))
    assert done.code == 0, done.err
    asked = [line for line in done.err.splitlines() if not LINE.match(line)]
    assert len(asked) == 1, done.err
    assert " ps --all " in asked[0]


def test_quiet_leaves_results_and_errors(account: Account) -> None:
    assert account.run("--quiet", "ls").err == ""
    assert "no sessions" in account.run("ls").err
    done = account.run("-q", "start", "-a", "shell", "-n", "web", account.project("webapp"))
    assert (done.out, done.err) == ("web\n", "")
    assert "session 'x' not found" in account.run("--quiet", "stop", "x").err
    assert account.run("ls", env={"AGENT_SESSION_QUIET": "1"}).err == ""
