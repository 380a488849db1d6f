"""The command line, on an engine in memory: exit codes, stdout for results, stderr for the rest."""

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

import pytest

from agent_session import __version__
from agent_session.cli import questions
from agent_session.cli.context import Invocation
from agent_session.cli.context import quiet as silenced
from agent_session.cli.verbs import VERBS
from agent_session.doctor import machine_checks as host
from agent_session.engine.command import ExecResult
from agent_session.engine.container import ContainerSpec
from agent_session.errors import EngineRefused, EngineUnavailable, Hint
from agent_session.host import paths
from agent_session.host.lock import is_held, lock, lock_file
from tests.fake_engine import FakeEngine
from tests.unit.machine import AGENTS, Machine, Replaced, terminal

SOURCES = Path(__file__).parents[3] / "src"


def test_the_version_is_told(bare: Machine) -> None:
    assert bare.ok("--version") == f"agent-session {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "verbose", "quiet"),
    [
        (["ls", "-v"], 1, False),
        (["ls", "--json", "-vv"], 2, False),
        (["-v", "ls"], 1, False),
        (["-v", "ls", "-vvv", "--quiet"], 2, True),
        (["-q", "ls", "--verbose"], 1, True),
        (["exec", "-v", "x", "ls"], 1, False),
        (["exec", "x", "ls", "-v", "-q"], 0, False),
        (["exec", "x", "--", "ls", "-v"], 0, False),
        (["send", "x", "--", "-v"], 0, False),
        (["send", "x", "--key", "-v"], 0, False),
        (["stop", "-vq", "x"], 1, True),
    ],
)
def test_the_programs_own_options_may_come_after_the_verb_but_are_no_others(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, typed: list[str], verbose: int, quiet: bool
) -> None:
    seen = []

    def engine(invocation: Invocation, **_: object) -> FakeEngine:
        seen.append((invocation.config.verbose, invocation.config.quiet, silenced()))
        return machine.engine

    monkeypatch.setattr(Invocation, "engine", engine)
    machine(*typed)
    assert seen == [(verbose, quiet, quiet)]


def test_the_programs_own_options_are_told_once(machine: Machine) -> None:
    assert "--verbose" in machine.ok("--help")
    assert "--verbose" not in machine.ok("ls", "--help")


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_command_helps(bare: Machine, verb: str, flag: str) -> None:
    ran = bare(*([verb] if verb else []), flag)
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: agent-session {verb}")
    assert ran.err == ""


def test_help_lists_every_verb_and_every_exit_code(bare: Machine) -> None:
    out = bare.ok("--help")
    assert all(re.search(rf"^\s+{verb}[\s,]", out, re.MULTILINE) for verb in VERBS)
    assert "Exit codes" in out


@pytest.mark.parametrize("name", ["AGENT", "NAME", "PROJECTS", "DETACH", "BUILD", "MOUNTS", "KOB"])
def test_help_of_start_explains_every_variable(bare: Machine, name: str) -> None:
    assert f"AGENT_SESSION_{name}" in bare.ok("start", "--help")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--frobnicate"], "agent-session --help"),
        (["start", "--frobnicate"], "agent-session start --help"),
        (["frobnicate"], "agent-session --help"),
        (["start", "--agent"], "agent-session start --help"),
        (["attach", "a", "b"], "agent-session attach --help"),
        (["ls", "extra"], "agent-session ls --help"),
    ],
)
def test_what_cannot_be_meant_is_2_with_the_help_to_read(
    bare: Machine, arguments: list[str], hint: str
) -> None:
    ran = bare(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.endswith(f"hint: {hint}\n")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "rm"])
@pytest.mark.parametrize("name", ["a/b", "../x", "a b", "x" * 300, "new\nline", "nul\0"])
def test_a_bad_name_is_2_everywhere(machine: Machine, verb: str, name: str) -> None:
    ran = machine(verb, *(["-n", name] if verb == "start" else [name]))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot name a session" in ran.err


@pytest.mark.usefixtures("no_questions")
def test_a_detached_start_prints_the_name_alone(machine: Machine) -> None:
    assert machine.ok("start", "-d") == "default\n"
    assert machine.ok("start", "-d", "-n", "web") == "web\n"


def test_the_default_agent_starts_in_the_current_directory(machine: Machine) -> None:
    machine.ok("start", "-d")
    (session,) = machine.listed()
    assert session["agent"] == "claude"
    assert session["projects"] == [
        {"source": str(machine.project), "target": "/workspace/app", "read_only": False}
    ]


def test_start_prints_its_session_as_json(machine: Machine) -> None:
    assert json.loads(machine.ok("start", "--json")) == machine.listed()[0]


def test_ls_prints_exactly_what_scripts_rely_on(machine: Machine) -> None:
    other = machine.directory("two words")
    machine.ok("start", "-d", "-a", "shell", "-n", "b", str(machine.project), str(other))
    machine.ok("start", "-d", "-a", "shell", "-n", "a")
    machine.ok("stop", "b")
    a, b = machine.listed()
    created, image = str(b["created"]), str(b["image"])
    assert (
        b.items()
        >= {  # more keys may come, these never change
            "name": "b",
            "agent": "shell",
            "status": "stopped",
            "container": "agent_b",
        }.items()
    )
    assert b["projects"] == [
        {"source": str(machine.project), "target": "/workspace/app", "read_only": False},
        {"source": str(other), "target": "/workspace/two words", "read_only": False},
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", created)
    assert datetime.fromisoformat(created).tzinfo
    assert re.fullmatch(r"localhost/agent-session-shell:[0-9a-f]+", image)
    assert (a["name"], a["status"]) == ("a", "running")


def test_ls_of_nothing_is_an_empty_list_and_a_line_for_a_person(machine: Machine) -> None:
    assert machine.ok("ls", "--json") == "[]\n"
    ran = machine("ls")
    assert (ran.code, ran.out) == (0, "")
    assert "agent-session start" in ran.err


def test_ls_is_a_table_without_colour_where_nobody_looks(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    header, row = machine.ok("ls").splitlines()
    assert header.split()[:3] == ["NAME", "AGENT", "STATUS"]
    assert row.split()[:3] == ["web", "shell", "running"]
    assert "\x1b" not in row


def test_what_is_in_a_label_cannot_move_the_cursor(machine: Machine) -> None:
    labels = {"agent-session.name": "x", "agent-session.agent": "\x1b[2Jevil"}
    image = next(iter(machine.engine.images.references()))
    machine.engine.create(
        ContainerSpec(name="agent_x", image=image, hostname="x", workdir=PurePosixPath("/"), labels=labels)
    )
    assert "\x1b" not in machine.ok("ls")


def test_start_of_a_running_session_is_start_of_that_session(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    before = machine.listed()
    assert machine.ok("start", "-d") == "default\n"
    assert machine.listed() == before


def test_start_of_a_stopped_session_starts_it_again(machine: Machine) -> None:
    machine.ok("start", "-d")
    machine.ok("stop")
    assert machine.status("default") == "stopped"
    machine.ok("start", "-d")
    assert machine.status("default") == "running"


def test_another_agent_or_project_is_a_conflict_with_two_ways_on(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    other = machine.directory("other")
    for arguments in (["-a", "claude"], [str(other)], ["-a", "claude", str(other)]):
        ran = machine("start", "-d", *arguments)
        assert (ran.code, ran.out) == (5, "")
        assert "session 'default' already exists with agent shell" in ran.err
        name = "other" if str(other) in arguments else "app"
        assert f"hint: agent-session start -n {name} {shlex.join(arguments)}" in ran.err
        assert "agent-session start -n default" in ran.err


def test_the_same_again_is_no_conflict(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", str(machine.project))
    machine.ok("start", "-d", "-a", "shell", str(machine.project))


def test_a_choice_in_the_file_is_no_conflict_with_what_is_there(machine: Machine, home: Path) -> None:
    machine.ok("start", "-d", "-a", "shell")
    file = home / ".config/agent-session/config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("agent: opencode\n")
    machine.ok("start", "-d")
    machine.ok("start", "-d", "-n", "new")
    assert [session["agent"] for session in machine.listed()] == ["shell", "opencode"]


def test_without_name_and_project_the_session_of_this_directory_is_meant(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = machine.directory("outer"), machine.project.parent / "outer" / "inner"
    inner.mkdir()
    machine.ok("start", "-d", "-a", "shell", "-n", "o", str(outer))
    machine.ok("start", "-d", "-a", "shell", "-n", "i", str(inner))
    machine.ok("stop", "i")
    monkeypatch.chdir(outer)
    assert machine.ok("start", "-d") == "o\n"
    monkeypatch.chdir(inner)
    assert machine.ok("start", "-d") == "i\n", "the nearest project counts, running or not"
    assert machine.status("i") == "running"


def test_of_several_sessions_of_a_directory_the_one_that_runs_is_meant_and_the_others_are_told(
    machine: Machine,
) -> None:
    for name in ("a", "b", "c"):
        machine.ok("start", "-d", "-a", "shell", "-n", name)
    machine.ok("stop", "a", "c")
    ran = machine("start", "-d")
    assert (ran.code, ran.out) == (0, "b\n")
    assert "session 'b'; this directory is also in: c, a" in ran.err
    machine.ok("stop", "b")
    assert machine.ok("start", "-d") == "c\n", "the one that was started last"
    machine.ok("start", "-d", "-a", "opencode", "-n", "other")
    machine.ok("stop", "c")
    assert machine.ok("start", "-d") == "other\n"
    assert machine.ok("start", "-d", "-a", "shell") == "c\n", "the one with that agent"


def test_elsewhere_it_is_default_where_there_is_none_yet(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    monkeypatch.chdir(machine.directory("other"))
    assert machine.ok("start", "-d", "-a", "shell") == "default\n"


def test_in_a_second_project_without_a_terminal_nothing_is_guessed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ok("start", "-d", "-a", "shell")
    monkeypatch.chdir(machine.directory("other place"))
    before = machine.listed()
    for flags in ([], ["-d"], ["--json"], ["--dry-run"]):
        ran = machine("start", *flags)
        assert (ran.code, ran.out) == (5, "")
        assert "session 'default' does not contain" in ran.err
        assert "agent-session start -n other-place " in ran.err
        assert "agent-session start -n default " in ran.err
    assert machine.listed() == before
    assert machine.ok("start", "-d", "-n", "default") == "default\n"
    assert machine.ok("start", "-d", "-a", "shell", "-n", "other-place") == "other-place\n"
    assert machine.ok("start", "-d") == "other-place\n"


@pytest.mark.parametrize("answer", ["other", "default"])
def test_in_a_second_project_a_person_is_asked_and_enter_is_a_new_session(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    machine.ok("start", "-d", "-a", "shell")
    monkeypatch.chdir(machine.directory("other"))
    terminal(monkeypatch, there=True)

    def choose(_question: str, answers: dict[str, str], default: str) -> str:
        assert list(answers) == ["other", "default"]
        assert default == "other"
        assert not is_held(lock_file(paths.runtime_folder(), "session-other"))
        return answer

    monkeypatch.setattr(questions, "choose", choose)
    assert machine.ok("start", "-d", "-a", "shell") == f"{answer}\n"


def test_while_a_person_is_asked_nothing_is_locked_and_what_cannot_be_right_is_refused_before(
    bare: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def free(*_: object, **__: object) -> bool:
        assert not is_held(lock_file(paths.runtime_folder(), "session-default"))
        asked.append(True)
        return True

    terminal(monkeypatch, there=True)
    monkeypatch.setattr(questions, "pick_agent", lambda *_: "shell" if free() else "")
    monkeypatch.setattr(questions, "confirm", free)
    assert bare("start", "-d", "missing").code == 2
    assert bare("start", "-d", "-a", "nobody").code == 4
    assert not asked
    bare.ok("start", "-d")
    assert len(asked) == 2


def test_who_waits_for_a_lock_is_told_since_when_and_refused_at_once_where_it_is_for_nothing(
    machine: Machine,
) -> None:
    held = threading.Event()
    over = threading.Event()

    def hold() -> None:
        with lock(paths.runtime_folder(), "session-web", waiting=lambda _holder: None):
            held.set()
            over.wait(60)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        held.wait(60)
        assert machine("start", "-d", "-n", "web", "missing").code == 2
        threading.Timer(0.3, over.set).start()
        ran = machine("start", "-d", "-a", "shell", "-n", "web")
    finally:
        over.set()
        holding.join()
    assert ran.code == 0
    assert re.search(rf"process {os.getpid()}, since \d\d:\d\d:\d\d, \d+ s ago\); waiting", ran.err)


def test_the_environment_chooses_like_flags(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = machine.directory("one"), machine.directory("two")
    monkeypatch.setenv("AGENT_SESSION_AGENT", "shell")
    monkeypatch.setenv("AGENT_SESSION_NAME", "env")
    monkeypatch.setenv("AGENT_SESSION_PROJECTS", f"{one}:{two}")
    monkeypatch.setenv("AGENT_SESSION_DETACH", "1")
    assert machine.ok("start") == "env\n"
    (session,) = machine.listed()
    assert session["agent"] == "shell"
    assert session["projects"] == [
        {"source": str(path), "target": f"/workspace/{path.name}", "read_only": False} for path in (one, two)
    ]
    machine.ok("stop")
    monkeypatch.setenv("AGENT_SESSION_FORCE", "1")
    machine.ok("rm")
    assert machine.listed() == []


def test_flags_beat_the_environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SESSION_AGENT", "claude")
    monkeypatch.setenv("AGENT_SESSION_NAME", "env")
    assert machine.ok("start", "-d", "-a", "shell", "-n", "flag") == "flag\n"
    assert machine.listed()[0]["agent"] == "shell"


def test_mounts_and_kob_come_from_the_environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    data, kob = machine.directory("data"), machine.directory("kob")
    monkeypatch.setenv("AGENT_SESSION_MOUNTS", str(data))
    monkeypatch.setenv("AGENT_SESSION_KOB", str(kob))
    machine.ok("start", "-d")
    (container,) = machine.engine.containers("agent-session.name")
    assert json.loads(container.labels["agent-session.mounts"]) == [
        {"path": str(data), "read_only": True},
        {"path": str(kob), "read_only": False},
    ]


@pytest.mark.parametrize("where", ["flag", "variable"])
def test_a_named_configuration_file_is_followed_or_missed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, home: Path, where: str
) -> None:
    file = home / "mine.yaml"
    flags = ["--config", str(file)] if where == "flag" else []
    if where == "variable":
        monkeypatch.setenv("AGENT_SESSION_CONFIG", str(file))
    assert machine(*flags, "ls").code == 3
    file.write_text("agent: shell\n")
    machine.ok(*flags, "start", "-d")
    assert machine.listed()[0]["agent"] == "shell"


def test_a_configuration_that_cannot_be_followed_is_3(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_SESSION_BUILD", "perhaps")
    ran = machine("start", "-d")
    assert (ran.code, ran.out) == (3, "")
    assert "AGENT_SESSION_BUILD" in ran.err


def test_an_agents_folder_that_cannot_be_followed_is_3(machine: Machine) -> None:
    (machine.folder / "shell" / "agent.yaml").write_text("oops: 1\n")
    assert machine("start", "-d").code == 3
    assert machine("agents").code == 3


def test_an_unknown_agent_is_4_and_those_there_are_are_told(machine: Machine) -> None:
    ran = machine("start", "-d", "-a", "gpt")
    assert (ran.code, ran.out) == (4, "")
    assert "agent 'gpt' not found; there are: claude, opencode, shell" in ran.err
    assert machine("build", "gpt").code == 4


def test_a_users_own_agent_is_an_agent(machine: Machine, home: Path) -> None:
    folder = home / ".local/share/agent-session/agents/mine"
    folder.mkdir(parents=True)
    (folder / "agent.yaml").write_text("title: Mine\n")
    (folder / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    machine.ok("start", "-d", "-a", "mine", "--build")
    assert machine.listed()[0]["agent"] == "mine"


@pytest.mark.parametrize("project", ["/", "~", "missing", "~/.ssh"])
def test_a_refused_project_is_2_and_nothing_is_made(machine: Machine, home: Path, project: str) -> None:
    (home / ".ssh").mkdir()
    ran = machine("start", "-d", project)
    assert (ran.code, ran.out) == (2, "")
    assert "cannot use" in ran.err
    assert machine.listed() == []


def test_a_directory_of_secrets_can_be_insisted_on(machine: Machine, home: Path) -> None:
    (home / ".config" / "nvim").mkdir(parents=True)
    machine.ok("start", "-d", "--allow-secret-directories", "~/.config/nvim")
    assert machine.status("default") == "running"


def test_a_current_directory_that_was_removed_is_told_as_that(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = machine.directory("gone")
    monkeypatch.chdir(gone)
    gone.rmdir()
    ran = machine("start", "-d")
    assert ran.code == 2
    assert "has been removed" in ran.err
    machine.ok("start", "-d", str(machine.project))


def test_a_missing_login_is_said_in_one_line_and_hinders_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = machine("start", "-d")
    assert ran.out == "default\n"
    assert "no login for Claude: claude setup-token\n" in ran.err
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk")
    assert "login" not in machine("start", "-d", "-n", "with-login").err


@pytest.mark.usefixtures("no_questions")
def test_a_missing_image_is_8_where_nobody_can_be_asked(bare: Machine) -> None:
    for flags in ([], ["--no-build"]):
        ran = bare("start", "-d", *flags)
        assert (ran.code, ran.out) == (8, "")
        assert "Image not built" in ran.err
        assert "hint: agent-session build claude\n" in ran.err
    assert bare.listed() == []


@pytest.mark.usefixtures("no_questions")
def test_an_image_that_is_out_of_date_is_used_where_none_is_to_be_built(
    bare: Machine, tmp_path: Path
) -> None:
    old = "localhost/agent-session-claude:0123456789abcdef"
    with tarfile.open(tmp_path / "old.tar", "w"):
        pass
    bare.engine.images.import_archive(tmp_path / "old.tar", old)
    ran = bare("start", "-d")
    assert (ran.code, "Image out of date" in ran.err) == (8, True)
    assert "hint: agent-session build claude\nor:   agent-session start --no-build -a claude " in ran.err
    ran = bare("start", "-d", "--no-build")
    assert ran.out == "default\n"
    assert "is out of date" in ran.err
    assert "agent-session build claude && agent-session update default" in ran.err
    assert bare.listed()[0]["image"] == old


@pytest.mark.usefixtures("no_questions")
def test_build_builds_without_asking(bare: Machine) -> None:
    assert bare.ok("start", "-d", "-a", "shell", "--build") == "default\n"


def test_a_failed_build_is_8_names_the_log_and_leaves_no_session(bare: Machine) -> None:
    bare.trouble.append(ExecResult(exit_code=1, stderr=b"E: no network\n"))
    ran = bare("start", "-d", "--build")
    bare.trouble.clear()
    assert (ran.code, ran.out) == (8, "")
    assert "E: no network" in ran.err
    assert "build-base.log" in ran.err
    assert bare.listed() == []


def test_on_a_terminal_a_missing_image_is_asked_about(bare: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(question: str, *, default: bool) -> bool:
        asked.append((question, default))
        return False

    terminal(monkeypatch, there=True)
    monkeypatch.setattr(questions, "confirm", answer)
    ran = bare("start", "-d", "-a", "shell")
    assert (ran.code, ran.out) == (1, ""), "no is no error"
    assert ran.err == "nothing was built or started; to build it: agent-session build shell\n"
    assert asked == [("Image not built. Build now?", True)]
    assert bare("start", "-d", "-a", "shell", "--no-build").code == 8
    assert len(asked) == 1


def test_the_picker_tells_the_truth_about_what_is_ready(
    bare: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def pick(choices: Sequence[questions.Choice], default: str) -> str:
        seen.update({choice.title: choice.state for choice in choices} | {"default": default})
        return "shell"

    terminal(monkeypatch, there=True)
    monkeypatch.setattr(questions, "pick_agent", pick)
    bare.ok("build", "shell")
    bare.ok("start", "-d")
    assert seen == {
        "Claude": "not built, no login found",  # its agent.yaml has no login of its own here
        "OpenCode": "not built",
        "Shell": "ready",
        "default": "claude",
    }
    assert bare.listed()[0]["agent"] == "shell"


@pytest.mark.parametrize("how", ["flag", "variable", "file"])
@pytest.mark.usefixtures("no_questions")
def test_nobody_is_asked_what_they_have_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, home: Path, how: str
) -> None:
    terminal(monkeypatch, there=True)
    if how == "variable":
        monkeypatch.setenv("AGENT_SESSION_AGENT", "shell")
    if how == "file":
        (home / ".config/agent-session").mkdir(parents=True)
        (home / ".config/agent-session/config.yaml").write_text("agent: shell\n")
    machine.ok("start", "-d", *(["-a", "shell"] if how == "flag" else []))


def test_ctrl_c_at_the_picker_is_130_and_nothing_is_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    terminal(monkeypatch, there=True)
    monkeypatch.setattr(questions, "pick_agent", interrupted)
    ran = machine("start")
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
    assert machine.listed() == []


def test_ctrl_c_while_waiting_is_130_and_nothing_is_left(machine: Machine) -> None:
    machine.trouble.append(KeyboardInterrupt())
    assert machine("start", "-d").code == 130
    assert machine.listed() == []
    assert machine.engine.volume_labels("agent_default_home") is None


def test_a_screen_that_does_not_come_up_is_9_with_the_containers_own_words(machine: Machine) -> None:
    machine.trouble.append(ExecResult(exit_code=1, stderr=b"zellij: no\n"))
    ran = machine("start", "-d")
    assert (ran.code, ran.out) == (9, "")
    assert "zellij: no" in ran.err
    assert machine.listed() == []


def test_on_a_terminal_start_becomes_the_terminal_of_the_session(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, there=True)
    monkeypatch.setenv("TERM", "xterm-kitty")
    for arguments in (["start", "-a", "shell"], ["start"], ["attach"], ["restart"]):
        with pytest.raises(Replaced) as caught:
            machine(*arguments)
        command = caught.value.command
        assert command[command.index("agent_default") + 1] == "/usr/local/bin/session-attach"
        assert "TERM=xterm-kitty" in command
        assert f"AGENT_SESSION_CLIENT={caught.value.environment['AGENT_SESSION_CLIENT']}" in command
        assert machine.engine.closed


@pytest.mark.usefixtures("no_questions")
def test_without_a_terminal_start_says_how_to_attach(machine: Machine) -> None:
    ran = machine("start")
    assert (ran.code, ran.out) == (0, "default\n")
    assert "agent-session attach default" in ran.err


def test_attach_never_makes_or_starts_a_session(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine("attach").code == 4
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    ran = machine("attach", "web")
    assert ran.code == 2
    assert "hint: agent-session screen web\nor:   agent-session exec web -- COMMAND\n" in ran.err
    terminal(monkeypatch, there=True)
    machine.ok("stop", "web")
    ran = machine("attach", "web")
    assert ran.code == 5
    assert "hint: agent-session restart web" in ran.err
    assert machine.status("web") == "stopped"


def test_stop_is_idempotent_and_silent(machine: Machine) -> None:
    machine.ok("start", "-d")
    for _ in range(2):
        ran = machine("stop")
        assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_stop_takes_several_names_or_all(machine: Machine) -> None:
    for name in ("a", "b", "c", "d"):
        machine.ok("start", "-d", "-n", name)
    machine.ok("stop", "a", "b", "a")
    assert [session["status"] for session in machine.listed()] == ["stopped", "stopped", "running", "running"]
    machine.ok("stop", "--all")
    assert {session["status"] for session in machine.listed()} == {"stopped"}
    assert machine("stop", "--all", "a").code == 2


def test_stop_all_of_nothing_is_fine(machine: Machine) -> None:
    machine.ok("stop", "--all")


@pytest.mark.parametrize("arguments", [["stop", "web"], ["restart", "web"], ["rm", "-f", "web"]])
def test_a_session_that_is_not_there_is_4(machine: Machine, arguments: list[str]) -> None:
    ran = machine(*arguments)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "error: session 'web' not found\nhint: agent-session ls\n"


def test_restart_starts_what_another_command_stops_while_it_waits_for_the_screen(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    usual = machine.engine.commands

    def stopped(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        machine.engine.commands = usual
        machine.engine.stop("agent_default")
        return ExecResult(exit_code=1, stderr=b"it has ended")

    machine.engine.commands = stopped
    assert machine("restart", "-d", "--if-stopped").code == 0
    assert machine.status("default") == "running"


def test_restart_starts_what_is_only_just_ending_when_it_has_ended(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    usual = machine.engine.commands
    ending = threading.Timer(0.1, machine.engine.stop, ["agent_default"])

    def refused(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        machine.engine.commands = usual
        ending.start()
        raise EngineRefused("container state improper")

    machine.engine.commands = refused
    assert machine("restart", "-d", "--if-stopped").code == 0
    assert machine.status("default") == "running"


def test_restart_starts_a_stopped_session_again(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    machine.ok("stop")
    assert machine.ok("restart", "-d") == "default\n"
    assert machine.status("default") == "running"


def test_restart_of_a_running_session_restarts_it_unless_only_a_stopped_one_is_meant(
    machine: Machine,
) -> None:
    machine.ok("start", "-d", "-a", "shell")
    before = machine.engine.container("agent_default")
    assert machine.ok("restart", "-d", "--if-stopped") == "default\n"
    assert machine.engine.container("agent_default") == before
    assert machine.ok("restart", "-d") == "default\n"
    after = machine.engine.container("agent_default")
    assert before
    assert after
    assert (after.id, after.running) == (before.id, True)
    assert before.started
    assert after.started
    assert after.started > before.started


def test_a_session_whose_agent_is_gone_still_starts_and_says_so(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    machine.ok("stop")
    (machine.folder / "shell" / "agent.yaml").unlink()
    assert "not installed here any more" in machine("restart", "-d").err
    assert machine.status("default") == "running"


def test_rm_refuses_a_running_session_even_by_force(machine: Machine) -> None:
    machine.ok("start", "-d")
    for arguments in (["rm", "default"], ["rm", "-f", "default"]):
        ran = machine(*arguments)
        assert ran.code == 5
        assert "cannot remove running session 'default'" in ran.err
        assert "hint: agent-session stop default" in ran.err
    assert machine.status("default") == "running"


def test_rm_asks_first_and_without_a_terminal_names_the_flag(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ok("start", "-d")
    machine.ok("stop")
    ran = machine("rm", "default")
    assert ran.code == 2
    assert "hint: agent-session rm --force default" in ran.err
    terminal(monkeypatch, there=True)
    monkeypatch.setattr(questions, "confirm", lambda _question, *, default: default)
    assert machine("rm", "default").code == 1
    assert machine.status("default") == "stopped"
    monkeypatch.setattr(questions, "confirm", lambda _question, *, default: not default)
    assert machine("rm", "default").code == 0
    assert machine.listed() == []


def test_rm_removes_the_home_and_no_project_file(machine: Machine) -> None:
    (machine.project / "file").touch()
    machine.ok("start", "-d")
    machine.ok("stop")
    machine.ok("rm", "-f", "default")
    assert machine.listed() == []
    assert machine.engine.volume_labels("agent_default_home") is None
    assert (machine.project / "file").exists()


def test_rm_removes_all_of_what_is_named_or_nothing(machine: Machine) -> None:
    for name in ("a", "b"):
        machine.ok("start", "-d", "-n", name)
    machine.ok("stop", "a")
    assert machine("rm", "-f", "a", "b").code == 5
    assert machine("rm", "-f", "a", "missing").code == 4
    assert machine.status("a") == "stopped"
    machine.ok("stop", "b")
    machine.ok("rm", "-f", "a", "b", "a")
    assert machine.listed() == []


def test_a_container_that_is_not_ours_is_a_conflict(machine: Machine) -> None:
    image = next(iter(machine.engine.images.references()))
    machine.engine.create(
        ContainerSpec(name="agent_default", image=image, hostname="x", workdir=PurePosixPath("/"))
    )
    for arguments in (["start", "-d"], ["stop"], ["rm", "-f", "default"], ["restart", "-d"]):
        ran = machine(*arguments)
        assert ran.code == 5
        assert "is not a session of agent-session" in ran.err
    assert machine.engine.container("agent_default")


def test_build_prints_the_images_and_again_the_same_ones(bare: Machine) -> None:
    first = bare.ok("build", "--all")
    assert [line.rpartition(":")[0] for line in first.splitlines()] == [
        f"localhost/agent-session-{name}" for name in AGENTS
    ]
    ran = bare("build", "--all")
    assert (ran.out, ran.err) == (first, "")


def test_build_builds_the_default_agent(bare: Machine) -> None:
    assert bare.ok("build").startswith("localhost/agent-session-claude:")
    assert bare("build", "--all", "claude").code == 2


def test_agents_lists_what_is_built_and_which_logins_there_are(
    bare: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    bare.ok("build", "claude")
    out = bare.ok("agents", "--json")
    claude, opencode, _ = json.loads(out)
    assert (claude["name"], claude["title"], claude["built"]) == ("claude", "Claude", True)
    assert claude["credentials"] == [{"name": "ANTHROPIC_API_KEY", "found": True}]
    assert opencode["built"] is False
    assert "sk-secret" not in out
    assert bare.ok("agents").splitlines()[1].split()[:3] == ["claude", "Claude", "built"]


def test_root_is_warned_in_one_line(machine: Machine) -> None:
    machine.engine.rootful = True
    ran = machine("start", "-d", "--build")
    assert ran.out == "default\n"
    assert sum("warning" in line for line in ran.err.splitlines()) == 1


def test_no_podman_is_6(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_self: Invocation, **_how: bool) -> FakeEngine:
        raise EngineUnavailable("podman: command not found", hint=Hint(shell="sudo apt-get install podman"))

    monkeypatch.setattr(Invocation, "engine", unavailable)
    ran = machine("ls")
    assert (ran.code, ran.out) == (6, "")
    assert ran.err == "error: podman: command not found\nhint: sudo apt-get install podman\n"


def test_a_bug_is_1_with_a_traceback(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Invocation, **_how: bool) -> FakeEngine:
        raise ZeroDivisionError

    monkeypatch.setattr(Invocation, "engine", broken)
    ran = machine("ls")
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "this is a bug" in ran.err


def program(*arguments: str, stdout: int, cwd: Path) -> "subprocess.Popen[str]":
    """The whole program in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "agent_session", *arguments]
    return subprocess.Popen(
        command, text=True, env=environment, stdout=stdout, stderr=subprocess.PIPE, cwd=cwd
    )


def test_a_reader_that_leaves_early_is_no_bug(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with program("start", "--help", stdout=write, cwd=home) as process:
        os.close(write)
        _, err = process.communicate()
    assert err == ""
    assert process.returncode in {1, 141}


def test_the_program_ends_with_the_documented_code(home: Path) -> None:
    with program("start", "--frobnicate", stdout=subprocess.PIPE, cwd=home) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: ")


def test_a_place_of_this_machine_that_cannot_be_used_is_named_without_a_traceback(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Invocation, **_how: bool) -> FakeEngine:
        raise OSError(28, "No space left on device", "/home/somebody/.local/state")

    monkeypatch.setattr(Invocation, "engine", full)
    ran = machine("ls")
    assert ran.code == 3
    assert ran.err.splitlines()[0] == "error: /home/somebody/.local/state: No space left on device"
    assert "Traceback" not in ran.err


def test_limits_are_kept_and_those_that_cannot_be_enforced_are_told_in_one_line(machine: Machine) -> None:
    machine.engine.lacking = {"memory": "cgroups v1 obey root only", "cpus": "cgroups v1 obey root only"}
    ran = machine("start", "-d", "-a", "shell", "--memory", "1g", "--cpus", "2", "--pids", "100")
    assert ran.code == 0
    assert [line for line in ran.err.splitlines() if "cannot be enforced here" in line] == [
        (
            "warning: --memory and --cpus cannot be enforced here (cgroups v1 obey "
            "root only): the session starts without"
        )
    ]
    listed = machine.listed()[0]
    assert (listed["memory"], listed["cpus"], listed["pids"]) == (1 << 30, 2.0, 100)
    refused = machine("start", "-d", "--memory", "2g")
    assert refused.code == 5
    assert "--memory" in refused.err
    machine.ok("stop")
    machine.ok("start", "-d", "--memory", "2g")
    listed = machine.listed()[0]
    assert (listed["memory"], listed["cpus"], listed["pids"]) == (2 << 30, 2.0, 100)


@pytest.mark.parametrize(("flag", "value"), [("--memory", "5"), ("--cpus", "many"), ("--pids", "3")])
def test_a_limit_that_is_none_is_refused_by_its_flag_and_by_its_variable(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, flag: str, value: str
) -> None:
    ran = machine("start", "-d", "-a", "shell", flag, value)
    assert (ran.code, ran.out) == (2, "")
    assert f"Invalid value for '{flag}': '{value}' " in ran.err
    monkeypatch.setenv(f"AGENT_SESSION_{flag[2:].upper()}", value)
    assert machine("ls").code == 3


@pytest.fixture
def sound(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine of which nothing bad can be said."""
    monkeypatch.setattr(host, "checks", lambda _environment, *, remote: {})  # noqa: ARG005
    monkeypatch.setattr(host, "space", lambda *_args, **_more: ())
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-a-secret")
    return machine


def test_doctor_says_that_all_is_well_in_one_line(sound: Machine) -> None:
    sound.ok("start", "-d", "-a", "shell")
    ran = sound("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"sessions can be started: \d+ fine \(--all shows them\)\n", ran.out)
    assert "ok       session default: running\n" in sound.ok("doctor", "--all")


def test_doctor_ends_like_the_start_that_would_fail_and_names_the_fix_underneath(sound: Machine) -> None:
    sound.engine.unreachable = EngineUnavailable(
        "podman: command not found", hint=Hint(shell="sudo apt-get install podman")
    )
    ran = sound("doctor")
    assert ran.code == 6
    assert ran.out.startswith(
        "error    podman: podman: command not found\n         fix: sudo apt-get install podman\n"
    )
    assert ran.out.splitlines()[-1].startswith("not everything can be started: 1 error")


def test_doctor_prints_every_finding_as_json(sound: Machine) -> None:
    found = json.loads(sound.ok("doctor", "--json"))
    assert {"level": "ok", "subject": "limits", "words": "all limits can be enforced", "fix": None} in found
    assert "a-secret" not in json.dumps(found)


def test_doctor_looks_though_the_configuration_cannot_be_read(
    sound: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_SESSION_DETACH", "perhaps")
    assert sound("ls").code == 3
    ran = sound("doctor", "--all")
    assert ran.code == 3
    assert "error    configuration: AGENT_SESSION_DETACH: must be 1 or 0" in ran.out
    assert "ok       images" not in ran.out
    assert "ok       trial" in ran.out


@pytest.mark.parametrize("verb", [("start", "-d"), ("restart", "-d"), ("update",)])
def test_a_session_whose_update_was_killed_just_before_its_end_has_its_own_name_again(
    machine: Machine, verb: tuple[str, ...]
) -> None:
    machine.ok("start", "-d", "-a", "shell")
    machine.engine.rename("agent_default", "agent-next_default")
    machine.ok(*verb)
    assert [container.name for container in machine.engine.containers("")] == ["agent_default"]


def test_build_clears_up_after_a_killed_one_where_nothing_is_to_be_built(machine: Machine) -> None:
    machine.ok("build", "shell")
    machine.engine.images.left = {"1 0123456789ab-working-container Storage"}
    machine.ok("build", "shell")
    assert not machine.engine.images.left


def test_doctor_repairs_only_when_it_is_told_to_and_says_what(sound: Machine) -> None:
    sound.engine.images.left = {"1 agent-session-x-working-container"}
    ran = sound("doctor")
    assert ran.code == 0
    assert "fix: agent-session doctor --fix" in ran.out
    assert sound.engine.images.left
    ran = sound("doctor", "--fix")
    assert (ran.code, ran.err) == (
        0,
        "builds: fixed: removed 1 containers and directories of builds that were killed\n",
    )
    assert not sound.engine.images.left


def test_an_error_that_knows_no_better_points_to_doctor(machine: Machine) -> None:
    machine.trouble.append(EngineUnavailable("it printed nothing"))
    ran = machine("start", "-d", "-a", "shell")
    assert (ran.code, ran.err.splitlines()[-1]) == (6, "hint: agent-session doctor")


def projects_modes(machine: Machine) -> list[bool]:
    """Whether each project of the only session is read-only, as ls --json tells it."""
    return [one["read_only"] for one in json.loads(machine.ok("ls", "--json"))[0]["projects"]]


def test_a_read_only_project_is_mounted_so_listed_so_and_needs_no_protection(
    machine: Machine, home: Path
) -> None:
    docs = home / "docs"
    docs.mkdir()
    machine.ok("start", "-d", "-n", "both", str(machine.project), f"{docs}:ro")
    spec = machine.engine.specification("agent_both")
    modes = {mount.source: mount.read_only for mount in spec.mounts if mount.kind == "bind"}
    assert (modes[str(machine.project)], modes[str(docs)]) == (False, True)
    assert not any(source.startswith(f"{docs}/") for source in modes)
    assert projects_modes(machine) == [False, True]
    assert f"{docs}:ro" in machine.ok("ls")
    assert f"{docs} at /workspace/docs, read-only" in machine.ok("status", "both")


def test_what_is_asked_to_be_read_only_is_never_silently_writable(machine: Machine, home: Path) -> None:
    docs = home / "docs"
    docs.mkdir()
    machine.ok("start", "-d", "-n", "open", str(docs))
    ran = machine("start", "-d", "-n", "open", f"{docs}:ro")
    assert ran.code == 5
    assert f"{docs}:ro" in ran.err
    machine.ok("start", "-d", "-n", "closed", f"{docs}:ro")
    machine.ok("start", "-d", "-n", "closed", str(docs))


def test_a_variable_names_read_only_projects_too(
    machine: Machine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (home / name).mkdir()
    monkeypatch.setenv("AGENT_SESSION_PROJECTS", f"{home}/one:ro:{home}/two")
    machine.ok("start", "-d", "-n", "both")
    assert projects_modes(machine) == [True, False]


def test_a_clone_cannot_be_read_only(machine: Machine, home: Path) -> None:
    (home / "one").mkdir()
    ran = machine("start", "-d", "-n", "x", "--clone", f"{home}/one:ro")
    assert (ran.code, "a clone is the session's own" in ran.err) == (2, True)
