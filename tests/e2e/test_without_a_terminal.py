"""Scripts, pipes, CI: no terminal, no question, results on stdout and nothing else there."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.account import Account
from tests.storage import LAUNCHER
from tests.waiting import COMMAND_SECONDS

pytestmark = pytest.mark.e2e


def test_everything_can_be_chosen_by_environment_alone(account: Account) -> None:
    one, two = account.project("one"), account.project("two")
    choice = {
        "AGENT_SESSION_AGENT": "shell",
        "AGENT_SESSION_NAME": "chosen",
        "AGENT_SESSION_PROJECTS": f"{one}:{two}",
        "AGENT_SESSION_DETACH": "1",
        "AGENT_SESSION_BUILD": "0",
        "AGENT_SESSION_FORCE": "1",
    }
    assert account.ok("start", env=choice) == "chosen\n"
    [session] = json.loads(account.ok("ls", "--json"))
    assert {key: session[key] for key in ("name", "agent", "status", "projects", "container")} == {
        "name": "chosen",
        "agent": "shell",
        "status": "running",
        "projects": [
            {"source": str(one), "target": "/workspace/one", "read_only": False},
            {"source": str(two), "target": "/workspace/two", "read_only": False},
        ],
        "container": "agent_chosen",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", session["created"])
    assert session["image"].startswith("localhost/agent-session-shell:")
    account.ok("stop", env=choice)
    account.ok("rm", env=choice)
    assert json.loads(account.ok("ls", "--json")) == []


def test_flags_beat_the_environment_which_beats_the_file(account: Account) -> None:
    configuration = account.home / "c.yaml"
    configuration.write_text("agent: claude\nname: from-file\n")
    variables = {"AGENT_SESSION_CONFIG": str(configuration), "AGENT_SESSION_AGENT": "shell"}
    assert account.ok("start", "-d", cwd=account.project(), env=variables) == "from-file\n"
    assert account.ok("start", "-d", "-n", "from-flag", cwd=account.project(), env=variables) == "from-flag\n"
    assert {session["agent"] for session in json.loads(account.ok("ls", "--json"))} == {"shell"}


def test_start_prints_the_name_or_the_object_and_nothing_else_on_stdout(account: Account) -> None:
    project = account.project()
    assert account.ok("start", "-d", "-a", "shell", cwd=project) == "default\n"
    told = json.loads(account.ok("start", "--json", cwd=project))
    assert [told] == json.loads(account.ok("ls", "--json"))
    without_flag = account.run("start", cwd=project, stdin="")
    assert (without_flag.code, without_flag.out) == (0, "default\n")
    assert "agent-session attach default" in without_flag.err
    for verb in ("stop", "rm"):
        assert account.ok(verb, *(["-f", "default"] if verb == "rm" else [])) == ""


def test_no_standard_input_at_all_is_no_terminal(account: Account) -> None:
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", LAUNCHER, "start", "-a", "shell"],
        env=account.environment,
        cwd=account.project(),
        text=True,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert (closed.returncode, closed.stdout) == (0, "default\n"), closed.stderr
    deaf = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", LAUNCHER, "ls"],
        env=account.environment, cwd=account.project(), timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    assert deaf.returncode == 0


def test_a_question_that_nobody_can_answer_is_not_asked(account: Account) -> None:
    account.agent("mini")
    project = account.project()
    done = account.run("start", "-a", "mini", cwd=project, stdin="y\n")
    assert (done.code, done.out) == (8, "")
    assert "Image not built" in done.err
    assert "hint: agent-session build mini" in done.err
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.ok("stop")
    done = account.run("rm", "default", stdin="y\n")
    assert done.code == 2
    assert "agent-session rm --force default" in done.err
    assert account.sessions() == {"default": "stopped"}


def test_an_empty_list_is_an_empty_list_and_a_hint_for_people(bare: Account) -> None:
    assert json.loads(bare.ok("ls", "--json")) == []
    done = bare.run("ls")
    assert (done.code, done.out) == (0, "")
    assert "agent-session start" in done.err


def test_a_reader_that_leaves_early_is_no_error(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    piped = subprocess.run(
        ["bash", "-c", '"$0" ls | true; echo "${PIPESTATUS[0]}"', LAUNCHER],
        env=account.environment,
        cwd=account.home,
        text=True,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert piped.stdout.strip() in ("0", "141")
    assert "Traceback" not in piped.stderr


def test_what_contradicts_a_session_is_told_with_both_ways_on(account: Account) -> None:
    project, other = account.project(), account.project("other")
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.ok("start", "-d", "-a", "shell", project)
    account.ok("start", "-d", "-n", "default")
    for arguments, free in ((("-a", "claude"), "app"), ((other,), "other"), ((project, other), "other")):
        done = account.run("start", "-d", "-n", "default", *arguments, cwd=project)
        assert (done.code, done.out) == (5, "")
        assert f"session 'default' already exists with agent shell and {project}" in done.err
        assert f"agent-session start -n {free} {shlex.join(map(str, arguments))}" in done.err
        assert "agent-session start -n default" in done.err
    assert account.inside("default", "ls", "/workspace") == "app"


EXPECTED = {
    "no such verb": (("nonsense",), 2, "nonsense"),
    "no such option": (("start", "--nonsense"), 2, "--nonsense"),
    "a bad name": (("start", "-d", "-a", "shell", "-n", "-x y"), 2, "cannot name a session"),
    "a bad name to stop": (("stop", "a/b"), 2, "cannot name a session"),
    "a long name": (("start", "-d", "-a", "shell", "-n", "x" * 64), 2, "at most 63"),
    "no such agent": (("start", "-d", "-a", "nobody"), 4, "agent 'nobody' not found"),
    "nothing to attach to": (("restart", "nothing"), 4, "session 'nothing' not found"),
    "nothing to stop": (("stop", "nothing"), 4, "session 'nothing' not found"),
    "nothing to remove": (("rm", "-f", "nothing"), 4, "session 'nothing' not found"),
    "a bad configuration": (("--config", "/does/not/exist.yaml", "ls"), 3, "/does/not/exist.yaml"),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_mistakes_are_told_in_a_line_and_a_hint_with_their_exit_code(bare: Account, case: str) -> None:
    arguments, code, words = EXPECTED[case]
    done = bare.run(*arguments, cwd=bare.project())
    assert done.code == code, done
    assert words in done.err + done.out
    assert "Traceback" not in done.err
    if code:
        assert done.err.startswith("error: ")
        assert "\nhint: " in done.err
        assert done.out == ""


def test_podman_that_is_not_there_is_told_with_the_command_that_installs_it(
    bare: Account, tmp_path: Path
) -> None:
    for program in ("env", "sh", "readlink"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    done = bare.run("ls", env={"PATH": str(tmp_path)})
    assert (done.code, done.out) == (6, "")
    assert "podman: command not found" in done.err
    assert "install podman" in done.err


def test_a_socket_that_does_not_answer_is_named(bare: Account) -> None:
    done = bare.run("ls", env={"CONTAINER_HOST": "unix:///does/not/exist.sock"})
    assert done.code == 6
    assert "unix:///does/not/exist.sock" in done.err


def test_a_socket_that_is_served_is_used(account: Account) -> None:
    socket = account.runtime / "podman" / "podman.sock"
    socket.parent.mkdir()
    account.podman("info")  # the first podman of an account stays in the foreground as two processes
    with subprocess.Popen(
        ["podman", "--log-level=error", "system", "service", "--time=0", f"unix://{socket}"],
        env=account.environment,
        cwd=account.home,
    ) as service:
        try:
            account.wait_for(socket)
            account.ok("start", "-d", "-a", "shell", cwd=account.project())
            assert account.sessions() == {"default": "running"}
            named = account.ok(
                "ls", "--json", env={"CONTAINER_HOST": f"unix://{socket}", "XDG_RUNTIME_DIR": "/nowhere"}
            )
            assert json.loads(named)[0]["status"] == "running"
            account.ok("stop", env={"CONTAINER_HOST": f"unix://{socket}"})
        finally:
            service.terminate()


def test_the_launcher_works_from_anywhere_and_through_links(bare: Account, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(LAUNCHER)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "two").symlink_to("../one")
    for command, cwd in (
        (LAUNCHER, Path("/")),
        (tmp_path / "one", bare.home),
        ("./two", tmp_path / "deeper"),
        ("agent-session", bare.home),
    ):
        done = subprocess.run(
            [command, "--version"],
            env=bare.environment,
            cwd=cwd,
            text=True,
            capture_output=True,
            check=False,
        )
        assert re.fullmatch(r"agent-session \d+\.\d+\S*\n", done.stdout), done


def test_the_projects_own_python_files_are_not_ours(account: Account) -> None:
    project = account.project()
    for module in ("yaml", "json", "typer", "agent_session", "podman"):
        (project / f"{module}.py").write_text("raise SystemExit('imported from the project')")
    assert account.run("ls", cwd=project, env={"PYTHONPATH": str(project)}).code == 0


def test_every_command_has_help_and_the_main_help_lists_the_exit_codes(bare: Account) -> None:
    told = bare.ok("--help")
    for verb in ("start", "attach", "stop", "restart", "ls", "rm", "build", "agents"):
        assert re.search(rf"^  {verb}[ ,]", told, re.MULTILINE)
        assert bare.ok(verb, "-h") == bare.ok(verb, "--help")
    codes = " ".join(told.partition("Exit codes")[2].split())
    for code in ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "130"):
        assert re.search(rf"\b{code} [a-zA-Z]", codes), code
    start = bare.ok("start", "--help")
    for variable in ("AGENT", "NAME", "PROJECTS", "DETACH", "BUILD", "MOUNTS", "KOB", "CONFIG"):
        assert f"AGENT_SESSION_{variable}" in start, variable
