"""`exec` beside an agent: the muscle memory of other tools, closed streams, readers that leave,
and plain words.
"""

import signal
import subprocess
from pathlib import Path

import pytest

from agent_session.workspace import placeholders
from tests.account import Account
from tests.storage import LAUNCHER
from tests.waiting import until

pytestmark = pytest.mark.podman


@pytest.fixture
def session(account: Account) -> Account:
    """An account with a running session `web`."""
    account.ok("start", "-d", "-a", "shell", "--protect", "strict", "-n", "web", account.project())
    return account


def runs(account: Account, program: str) -> bool:
    return account.podman_done("exec", "agent_web", "pgrep", "-f", program).code == 0


def in_bash(account: Account, line: str) -> "subprocess.CompletedProcess[str]":
    """A line of the user's shell on the host."""
    return subprocess.run(
        ["bash", "-c", line],
        env=account.environment,
        cwd=account.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_ends_with_whoever_reads_its_output(session: Account) -> None:
    for command in ("yes", "sh -c 'trap : TERM; yes stubborn; while :; do yes again; done'"):
        line = f"{LAUNCHER} exec web -- {command} | head -n 1; echo ${{PIPESTATUS[0]}}"
        done = in_bash(session, line)
        assert done.stdout.splitlines()[-1] == "141", done
        until(lambda: not runs(session, "^yes|stubborn"), "the end of the command", seconds=30)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_ends_with_agent_session(session: Account, ending: signal.Signals) -> None:
    begun = session.begin("exec", "web", "--", "sleep", "12345")
    until(lambda: runs(session, "^sleep 12345"), "the command")
    begun.send_signal(ending)
    assert begun.wait(timeout=60) == 128 + ending
    begun.communicate()
    until(lambda: not runs(session, "^sleep 12345"), "the end of the command", seconds=30)


def test_a_closed_standard_input_is_at_its_end(session: Account) -> None:
    for closed in ("<&-", "<&- 2>&-"):
        line = f"{LAUNCHER} exec web -- sh -c 'cat; echo done' {closed}"
        done = in_bash(session, line)
        assert (done.returncode, done.stdout) == (0, "done\n")


def test_what_cannot_be_run_is_told_in_plain_words(session: Account) -> None:
    for command, status, words in (
        ("nosuch", 127, "agent-session: there is no program 'nosuch' in this session\n"),
        ("/no/such", 127, "agent-session: there is no program '/no/such' in this session\n"),
        ("/etc", 126, "agent-session: '/etc' in this session is not a program that can be run\n"),
        (
            "/etc/passwd",
            126,
            "agent-session: '/etc/passwd' in this session is not a program that can be run\n",
        ),
    ):
        done = session.run("exec", "web", "--", command, "an argument")
        assert (done.code, done.out, done.err) == (status, "", words)


def test_without_a_command_it_is_a_shell(session: Account) -> None:
    assert session.run("exec", "web", stdin="echo $((40 + 2)); exit 3\n").out == "42\n"
    window = session.window("exec", "-it", "web", "bash")
    window.wait_for("agent@")
    window.type("exit 5", "Enter")
    assert window.wait_for_end() == 5
    window = session.window("exec", "web")
    window.wait_for("agent@")
    window.type("stty size; exit", "Enter")
    window.wait_for("24 80")
    assert window.wait_for_end() == 0


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_copy_of_a_project_has_no_placeholders(session: Account) -> None:
    project = session.project()
    held = {path.name for path in project.iterdir() if path.lstat().st_mtime == placeholders.MARK}
    assert held, "no placeholder in the project"
    (project / "mine.txt").write_text("mine")
    (project / ".vscode-of-mine").mkdir()
    for flags in ([], ["-r"], ["-a"]):
        target = session.home / f"copy{''.join(flags)}"
        target.mkdir()
        session.ok("cp", *flags, "web:.", target)
        assert names(target) == names(project) - held
